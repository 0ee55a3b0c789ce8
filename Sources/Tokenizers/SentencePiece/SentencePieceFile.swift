/// What a `tokenizer.model` says, as its protobuf message `ModelProto` has it.
struct SentencePieceFile {
  enum ModelType: UInt64 {
    case unigram = 1
    case bytePairs, word, character
  }

  var pieces: [PieceVocabulary.Piece] = []
  var modelType: UInt64 = ModelType.unigram.rawValue
  var hasByteFallback = false
  var marksSpacesAfterWords = false
  var unknownID = 0
  var beginID = 1
  var endID = 2
  var paddingID = -1
  var characterMap: [UInt8] = []
  var addsSpacePrefix = true
  var removesExtraSpaces = true
  var marksSpaces = true
  var denormalizerMap: [UInt8] = []

  /// - Throws: a defect of the encoding, or of a field that has another type than it should.
  init(_ bytes: [UInt8]) throws(ProtobufReader.Defect) {
    var reader = ProtobufReader(bytes[...])
    while let field = try reader.next() {
      switch field.number {
      case 1: pieces.append(try Self.piece(try field.message()))
      case 2: try readTrainer(try field.message())
      case 3: try readNormalizer(try field.message())
      case 5:
        var denormalizer = ProtobufReader(try field.message())
        while let field = try denormalizer.next() {
          if field.number == 2 { denormalizerMap = Array(try field.message()) }
        }
      default: break
      }
    }
  }

  /// `SentencePiece`: its text, score and kind.
  private static func piece(
    _ message: ArraySlice<UInt8>
  ) throws(ProtobufReader.Defect) -> PieceVocabulary.Piece {
    var reader = ProtobufReader(message)
    var piece = PieceVocabulary.Piece(text: "")
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let bytes)):
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw .init(offset: bytes.startIndex, problem: "a piece is not UTF-8")
        }
        piece.text = text
      case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
      case (3, .varint(let number)):
        guard let kind = Int(exactly: number).flatMap(PieceVocabulary.Kind.init) else {
          throw .init(
            offset: message.startIndex, problem: "a piece has the type \(number), expected 1 to 6")
        }
        piece.kind = kind
      default: break
      }
    }
    return piece
  }

  /// `TrainerSpec`, of which a few fields say how to read.
  private mutating func readTrainer(
    _ message: ArraySlice<UInt8>
  ) throws(ProtobufReader.Defect) {
    var reader = ProtobufReader(message)
    while let field = try reader.next() {
      guard case .varint(let value) = field.value else { continue }
      // Protobuf's int32: a negative number is written as 64 bits.
      let number = Int(Int64(bitPattern: value))
      switch field.number {
      case 3: modelType = value
      case 24: marksSpacesAfterWords = value != 0
      case 35: hasByteFallback = value != 0
      case 40: unknownID = number
      case 41: beginID = number
      case 42: endID = number
      case 43: paddingID = number
      default: break
      }
    }
  }

  /// `NormalizerSpec`: the map of characters and what happens to spaces.
  private mutating func readNormalizer(
    _ message: ArraySlice<UInt8>
  ) throws(ProtobufReader.Defect) {
    var reader = ProtobufReader(message)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (2, .bytes(let bytes)): characterMap = Array(bytes)
      case (3, .varint(let value)): addsSpacePrefix = value != 0
      case (4, .varint(let value)): removesExtraSpaces = value != 0
      case (5, .varint(let value)): marksSpaces = value != 0
      default: break
      }
    }
  }
}

extension ProtobufReader.Field {
  /// The bytes of a message or string.
  fileprivate func message() throws(ProtobufReader.Defect) -> ArraySlice<UInt8> {
    guard case .bytes(let bytes) = value else {
      throw .init(offset: offset, problem: "field \(number) is a number, expected a message")
    }
    return bytes
  }
}
