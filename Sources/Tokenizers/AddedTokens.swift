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
  private let specialContents: Set<[UInt8]>
  /// Those looked for in the input as it stands.
  let verbatim: AddedTokenMatcher
  /// Those looked for in normalized text, themselves normalized.
  let normalized: AddedTokenMatcher

  init(_ tokens: [AddedToken], normalizer: Normalizer?) {
    self.tokens = tokens
    byID = Dictionary(uniqueKeysWithValues: tokens.map { ($0.id, $0) })
    byContent = Dictionary(uniqueKeysWithValues: tokens.map { (Array($0.content.utf8), $0) })
    specialContents = Set(tokens.filter(\.isSpecial).map { Array($0.content.utf8) })
    // The search takes the first of two equal contents, special tokens before others.
    let ordered = tokens.filter(\.isSpecial) + tokens.filter { !$0.isSpecial }
    verbatim = AddedTokenMatcher(
      ordered.filter { !$0.isNormalized }.map { (Array($0.content.utf8), $0) })
    normalized = AddedTokenMatcher(
      ordered.filter(\.isNormalized).map { token in
        var segment = Segment(bytes: Array(token.content.utf8), beginsInput: true)
        normalizer?.apply(to: &segment)
        return (segment.bytes, token)
      })
  }

  subscript(id: Int) -> AddedToken? { byID[id] }

  func token(_ content: [UInt8]) -> AddedToken? { byContent[content] }

  /// Whether a token with this content is skipped when special tokens are.
  func isSpecial(_ content: [UInt8]) -> Bool { specialContents.contains(content) }
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
