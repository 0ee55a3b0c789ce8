import JSON

/// A token that is recognised in the text itself, before the model sees it.
public struct AddedToken: Sendable, Hashable {
  public let id: Int
  public let content: String
  /// Whether the token is control and not text, `<s>` for one: decoding can skip it.
  public let isSpecial: Bool
  /// Whether it counts only where no word character touches it.
  let isSingleWord: Bool
  /// Whether it takes the white space before it along.
  let stripsLeft: Bool
  /// Whether it takes the white space after it along.
  let stripsRight: Bool
  /// Whether it is looked for in the normalized text rather than in the input.
  let isNormalized: Bool
}

/// The added tokens of a tokenizer and the two passes in which text is searched for them.
struct AddedTokens: Sendable {
  let tokens: [AddedToken]
  private let byID: [Int: AddedToken]
  private let byContent: [[UInt8]: AddedToken]
  /// What each token is for the decoder: its content, or the form in which it was found.
  private let spellings: [Int: [UInt8]]
  /// Those looked for in the input as it stands.
  let verbatim: AddedTokenMatcher
  /// Those looked for in normalized text, themselves normalized.
  let normalized: AddedTokenMatcher

  init(_ tokens: [AddedToken], normalizer: Normalizer?) {
    self.tokens = tokens
    byID = Dictionary(uniqueKeysWithValues: tokens.map { ($0.id, $0) })
    byContent = Dictionary(uniqueKeysWithValues: tokens.map { (Array($0.content.utf8), $0) })
    let spelled = tokens.map { token in
      var segment = Segment(bytes: Array(token.content.utf8), beginsInput: true)
      if token.isNormalized { normalizer?.apply(to: &segment) }
      return (bytes: segment.bytes, token: token)
    }
    spellings = Dictionary(uniqueKeysWithValues: spelled.map { ($0.token.id, $0.bytes) })
    // The search takes the first of two equal spellings, special tokens before others.
    let ordered = spelled.filter(\.token.isSpecial) + spelled.filter { !$0.token.isSpecial }
    verbatim = AddedTokenMatcher(ordered.filter { !$0.token.isNormalized })
    normalized = AddedTokenMatcher(ordered.filter(\.token.isNormalized))
  }

  subscript(id: Int) -> AddedToken? { byID[id] }

  func token(_ content: [UInt8]) -> AddedToken? { byContent[content] }

  /// The bytes from which decoding `id` starts.
  func spelling(of id: Int) -> [UInt8]? { spellings[id] }
}

extension AddedToken {
  init(_ section: Section) throws(TokenizerError) {
    try section.allowOnly([
      "id", "content", "special", "single_word", "lstrip", "rstrip", "normalized",
    ])
    id = try section.required("id")
    content = try section.required("content")
    isSpecial = try section.optional("special") ?? false
    isSingleWord = try section.optional("single_word") ?? false
    stripsLeft = try section.optional("lstrip") ?? false
    stripsRight = try section.optional("rstrip") ?? false
    isNormalized = try section.optional("normalized") ?? !isSpecial
  }
}
