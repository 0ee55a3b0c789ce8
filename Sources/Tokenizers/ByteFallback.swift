/// The spelling of text that a vocabulary lacks, byte by byte.
struct ByteFallback: Sendable {
  /// The token of each byte, nil where the vocabulary lacks it too; empty in a model that does
  /// not spell.
  private let tokens: [Int32?]

  static let none = ByteFallback()

  private init() { tokens = [] }

  /// The tokens `<0x00>` to `<0xFF>` of a vocabulary.
  init(_ vocabulary: TokenTable) {
    tokens = (0...UInt8.max).map { vocabulary.id(of: ByteToken.bytes(of: $0)) }
  }

  /// Whether a model spells at all.
  var isSpelling: Bool { !tokens.isEmpty }

  /// Appends the tokens of each byte of `text`.
  ///
  /// - Returns: false, with nothing appended, when the vocabulary lacks one of the bytes.
  func append<ID: BinaryInteger>(_ text: Span<UInt8>, to ids: inout [ID]) -> Bool {
    if !isSpelling { return false }
    let count = ids.count
    for index in text.indices {
      guard let id = tokens[Int(text[index])] else {
        ids.removeSubrange(count...)
        return false
      }
      ids.append(ID(id))
    }
    return true
  }
}
