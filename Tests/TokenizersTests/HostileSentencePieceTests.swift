import Files
import SystemPackage
import TestSupport
import Testing

@testable import Tokenizers

/// Every defect of a `tokenizer.model` is one sentence, and none is a trap.
struct HostileSentencePieceTests {
  /// A field of a protobuf message that has a length.
  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  private static func piece(_ text: String, score: Float = 0, kind: UInt8 = 1) -> [UInt8] {
    let bits = score.bitPattern
    let bytes = (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    return field(1, field(1, Array(text.utf8)) + [2 << 3 | 5] + bytes + [3 << 3, kind])
  }

  /// A trainer's or normalizer's message with one field that is a number, up to 127.
  private static func option(_ message: UInt8, _ number: Int, _ value: UInt8) -> [UInt8] {
    let key = number << 3
    return field(
      message, key < 128 ? [UInt8(key), value] : [UInt8(key & 127 | 128), UInt8(key >> 7), value])
  }

  private static let pieces =
    piece("<unk>", kind: 2) + piece("<s>", kind: 3) + piece("</s>", kind: 3) + piece("▁", score: -1)
    + piece("a", score: -2) + piece("▁a", score: -3) + piece("aa", score: -4)

  private static let sound = pieces + option(2, 3, 2)

  private static func tokenizer(_ bytes: [UInt8]) throws -> Tokenizer {
    try Tokenizer(PieceVocabulary(SentencePieceFile(bytes), name: "tokenizer.model"))
  }

  @Test func `the model that the rows break is sound`() throws {
    let tokenizer = try Self.tokenizer(Self.sound)
    #expect(tokenizer.encode("a aa x") == [1, 5, 5, 4, 3, 0])
    #expect(tokenizer.encode("aaa", addingSpecialTokens: false) == [5, 6])
  }

  @Test(arguments: [
    ("two pieces alike", pieces + piece("a") + option(2, 3, 2), "tokens 4 and 7 are both 'a'"),
    ("an empty piece", pieces + piece(""), "token 7 is empty"),
    ("no unknown", piece("a"), "no piece is of the type unknown"),
    ("no pieces", option(2, 3, 2), "has no pieces"),
    ("a score of NaN", pieces + piece("b", score: .nan), "the score of token 7 'b' is nan"),
    ("an endless score", pieces + piece("b", score: .infinity), "the score of token 7 'b' is inf"),
    (
      "a byte that is none", pieces + piece("b", kind: 6),
      "token 7 'b' is of the kind byte, expected '<0x00>'"
    ),
    (
      "a beginning out of range", sound + option(2, 41, 99),
      "the beginning token has id 99, expected 0..<7, the vocabulary"
    ),
    (
      "byte fallback without bytes", sound + option(2, 35, 1),
      "'byte_fallback' is true with 0 byte pieces, expected 256"
    ),
    (
      "words", pieces + option(2, 3, 3),
      "model type 3 is not supported (known: unigram, BPE)"
    ),
    (
      "spaces behind words", sound + option(2, 24, 1),
      "'treat_whitespace_as_suffix' is true and not supported"
    ),
    (
      "spaces without a mark", sound + option(3, 5, 0),
      "'escape_whitespaces' is false and not supported"
    ),
    (
      "a denormalizer", sound + field(5, field(2, [1])),
      "a denormalizer changes decoded text, which is not supported"
    ),
    ("a damaged map", sound + field(3, field(2, [1, 2, 3])), "'precompiled_charsmap' is damaged"),
    (
      "a map of what is no text", sound + field(3, field(2, [4, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0])),
      "'precompiled_charsmap' is damaged"
    ),
  ])
  func `a defect of the model is named`(label: String, bytes: [UInt8], message: String) {
    let error = #expect(throws: TokenizerError.self) { try Self.tokenizer(bytes) }
    #expect(error?.description == "tokenizer.model: " + message)
  }

  @Test(arguments: [
    ("an unended number", [0x08, 0x80], "byte 1: a number does not end"),
    ("an unended score", [0x0D, 0, 0], "byte 1: a number does not end"),
    (
      "a number too long", [0x08] + [UInt8](repeating: 0x80, count: 10),
      "byte 1: a number is longer than 10 bytes"
    ),
    ("a length beyond the file", [0x0A, 5, 0], "byte 0: field 1 is 5 bytes long, and 1 are left"),
    ("a field without number", [0x00, 0], "byte 0: a field has no number"),
    ("a group", [0x0B], "byte 0: field 1 has the encoding 3, expected 0, 1, 2 or 5"),
    ("a piece that is a number", [0x08, 1], "byte 0: field 1 is a number, expected a message"),
    ("a piece that is no text", [0x0A, 3, 0x0A, 1, 0xFF], "byte 4: a piece is not UTF-8"),
    (
      "a piece of no type", [0x0A, 2, 0x18, 9], "byte 2: a piece has the type 9, expected 1 to 6"
    ),
  ])
  func `a defect of the encoding is named with its place`(
    label: String, bytes: [UInt8], message: String
  ) {
    let error = #expect(throws: ProtobufReader.Defect.self) { try SentencePieceFile(bytes) }
    #expect(error?.description == message)
  }

  @Test func `a file that is no model says so`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("tokenizer.model")
      try path.overwrite("not a model")
      let error = #expect(throws: TokenizerError.self) { try Tokenizer(contentsOf: path) }
      #expect(
        error?.description.hasPrefix("tokenizer.model: not a SentencePiece model: byte ") == true)
    }
  }

  @Test(arguments: [2, 1] as [UInt8])
  func `every changed or missing byte gives a tokenizer or an error and no trap`(
    modelType: UInt8
  ) throws {
    let text = Self.pieces + Self.option(2, 3, modelType)
    var accepted = 0
    for index in text.indices {
      for byte in [text[index] ^ 1, text[index] ^ 0x80, 0xFF] {
        var changed = text
        changed[index] = byte
        guard let tokenizer = try? Self.tokenizer(changed) else { continue }
        accepted += 1
        _ = tokenizer.decode(tokenizer.encode("a <s>aax\u{301} "))
      }
      _ = try? Self.tokenizer(Array(text[..<index]))
    }
    #expect(accepted > 0 && accepted < text.count * 3)
  }

  @Test func `every changed byte of a map gives text or an error and no trap`() throws {
    let path = TokenizerVectors.directory("sentencepiece/plain").appending("tokenizer.model")
    let map = try SentencePieceFile(path.readBytes()).characterMap
    let text = "ﬁ½\u{3000}e\u{301}A\u{30A}ſⅧ…\t"
    var accepted = 0
    for index in map.indices {
      for byte in [map[index] ^ 1, map[index] ^ 0x80, 0xFF] where byte != map[index] {
        var changed = map
        changed[index] = byte
        guard let map = CharacterMap(changed) else { continue }
        accepted += 1
        let normalizer = SentencePieceNormalizer(characterMap: map)
        let bytes = normalizer.apply(to: Segment(bytes: Array(text.utf8), beginsInput: true))
        #expect(String(validating: bytes, as: UTF8.self) != nil)
        #expect(String(validating: map.mapping(Array(text.utf8)), as: UTF8.self) != nil)
      }
    }
    #expect(accepted > 0)
  }
}
