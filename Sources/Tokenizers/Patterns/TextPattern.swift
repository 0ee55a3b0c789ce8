/// Something that finds the next match in a text, as a regular expression would.
protocol TextPattern: Sendable {
  /// The leftmost match that begins at or after `start`, never empty; nil when there is none.
  func nextMatch(in text: Span<UInt8>, from start: Int) -> Range<Int>?
}

/// A string that matches itself.
struct LiteralPattern: TextPattern {
  let bytes: [UInt8]

  func nextMatch(in text: Span<UInt8>, from start: Int) -> Range<Int>? {
    text.firstRange(of: bytes, from: start)
  }
}

/// The regular expressions that Flare knows.
///
/// A tokenizer's expression is not interpreted: each known one has a scanner, written by hand, that
/// reads the text once. An unknown expression is refused rather than approximated.
enum KnownPatterns {
  static let gpt2 =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  static let llama3 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"#
    + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let qwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"#
    + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let tekken =
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
    + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
    + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let o200k =
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
    + #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#
    + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
    + #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#
    + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// The scanner of a regular expression, or nil when it is not one of the known.
  static func scanner(for expression: String) -> (any TextPattern)? {
    // Bytes are compared: strings that are canonically equivalent are different expressions.
    func isExpression(_ known: String) -> Bool { expression.utf8.elementsEqual(known.utf8) }
    if isExpression(gpt2) { return GPT2Pattern() }
    if isExpression(llama3) { return Llama3Pattern(maximumDigitCount: 3) }
    if isExpression(qwen2) { return Llama3Pattern(maximumDigitCount: 1) }
    if isExpression(tekken) {
      return TekkenPattern(maximumDigitCount: 1, takesContractions: false)
    }
    if isExpression(o200k) { return TekkenPattern(maximumDigitCount: 3, takesContractions: true) }
    return nil
  }
}
