/// A vocabulary as a list of pieces, with what a GGUF file or `tokenizer.model` says beside it.
///
/// It stands between the forms a tokenizer is kept in. GGUF keys, `tokenizer.model` and
/// `tokenizer.json` become one, and one becomes a `Tokenizer`, GGUF keys and a `tokenizer.json`:
/// each form is read in one place and written in one place.
struct PieceVocabulary: Sendable {
  /// What a piece is for.
  ///
  /// The numbers are those of SentencePiece, which GGUF has taken over.
  enum Kind: Int, Sendable {
    case normal = 1
    case unknown
    case control
    /// Recognised in the text as it is written, and not split.
    case userDefined
    /// A place in the embeddings that no text reaches.
    case unused
    /// One byte, written `<0x0A>`.
    case byte
  }

  struct Piece: Sendable {
    var text: String
    var score: Float = 0
    var kind = Kind.normal
  }

  enum Algorithm: Sendable {
    /// SentencePiece's BPE, in which scores say what merges first.
    case scoredPairs
    /// SentencePiece's unigram model, in which the sum of scores says what a text becomes.
    case unigram
    /// BPE over bytes, with its list of merges.
    case bytePairs(ByteLevelStyle, merges: [(left: String, right: String)])
  }

  /// Where a space is put in front of text.
  enum SpacePrefix: String, Sendable {
    case none
    /// Before every stretch of text, also after an added token: SentencePiece and `Prepend`.
    case always
    /// At the beginning of the input, unless it has one: `Metaspace` with `first`.
    case first
  }

  /// What messages call the vocabulary: the file it comes from.
  var subject: String
  var algorithm: Algorithm
  var pieces: [Piece]

  var beginID: Int?
  var endID: Int?
  var unknownID: Int?
  var paddingID: Int?
  var addsBegin = false
  var addsEnd = false

  var spacePrefix = SpacePrefix.always
  var removesExtraSpaces = false
  var characterMap: CharacterMap?
  /// Whether user-defined pieces are part of the text that SentencePiece normalizes, and not cut
  /// off before.
  ///
  /// A `tokenizer.model` by itself has it so.
  var symbolsAreNormalized = false
}

extension PieceVocabulary {
  /// A longer piece is an attack on time.
  ///
  /// Looking for pieces takes their length for every character of a text. The longest of published
  /// vocabularies have some hundred bytes.
  static let maximumPieceByteCount = 1 << 12

  /// The ids that frame a text.
  var frame: (before: [Int], after: [Int]) {
    (addsBegin ? [beginID].compactMap(\.self) : [], addsEnd ? [endID].compactMap(\.self) : [])
  }

  /// Whether characters that no piece has are spelled in bytes.
  var hasByteFallback: Bool { pieces.contains { $0.kind == .byte } }

  func malformed(_ problem: String) -> TokenizerError {
    TokenizerError(.malformed, "\(subject): \(problem)")
  }

  func unsupported(_ problem: String) -> TokenizerError {
    TokenizerError(.unsupported, "\(subject): \(problem)")
  }

  /// Checks what every reader must have made sure of.
  ///
  /// - Throws: `TokenizerError` when two pieces are spelled alike, a score is no number, a byte
  ///   piece names no byte, or an id that matters is none of the vocabulary.
  func validate() throws(TokenizerError) {
    guard pieces.count <= TokenTable.maximumVocabularySize else {
      throw malformed(
        "\(pieces.count) tokens, expected at most \(TokenTable.maximumVocabularySize)")
    }
    var table = TokenTable(count: pieces.count)
    for (id, piece) in pieces.enumerated() {
      guard !piece.text.isEmpty else { throw malformed("token \(id) is empty") }
      let bytes = Array(piece.text.utf8)
      if let other = table.id(of: bytes) {
        throw malformed("tokens \(other) and \(id) are both '\(piece.text)'")
      }
      _ = table.insert(bytes, id: id)
      guard bytes.count <= Self.maximumPieceByteCount else {
        throw malformed(
          "token \(id) is \(bytes.count) bytes long, expected at most "
            + "\(Self.maximumPieceByteCount)")
      }
      guard piece.score.isFinite else {
        throw malformed("the score of token \(id) '\(piece.text)' is \(piece.score)")
      }
      guard piece.kind != .byte || ByteToken.byte(of: bytes) != nil else {
        throw malformed("token \(id) '\(piece.text)' is of the kind byte, expected '<0x00>'")
      }
    }
    for (name, id) in [
      ("beginning", beginID), ("end", endID), ("unknown", unknownID), ("padding", paddingID),
    ] {
      guard let id, !pieces.indices.contains(id) else { continue }
      throw malformed(
        "the \(name) token has id \(id), expected 0..<\(pieces.count), the vocabulary")
    }
    if addsBegin, beginID == nil {
      throw malformed("a token for the beginning is to be added, and none is named")
    }
    if addsEnd, endID == nil {
      throw malformed("a token for the end is to be added, and none is named")
    }
  }

  /// The tokens recognised in the text itself, as `tokenizer.json` would list them.
  var addedTokens: [AddedToken] {
    pieces.indices.compactMap { id in
      let piece = pieces[id]
      switch piece.kind {
      case .normal, .byte, .unused: return nil
      case .control, .unknown: return AddedToken(id: id, content: piece.text, isSpecial: true)
      case .userDefined: return AddedToken(id: id, content: piece.text, isSpecial: false)
      }
    }
  }
}

extension AddedToken {
  /// A token that is looked for as it is written.
  init(id: Int, content: String, isSpecial: Bool, isNormalized: Bool = false) {
    self.init(
      id: id, content: content, isSpecial: isSpecial, isSingleWord: false, stripsLeft: false,
      stripsRight: false, isNormalized: isNormalized)
  }
}
