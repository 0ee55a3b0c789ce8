/// The pattern of Llama 3 and, with digits one by one, of Qwen 2; cl100k is its origin.
///
/// Its alternatives, in order:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d)     an English contraction
///     [^\r\n\p{L}\p{N}]?\p{L}+         a word, with one character before it
///     \p{N}{1,3}                       a group of digits
///      ?[^\s\p{L}\p{N}]+[\r\n]*        punctuation, with a space before and line ends after
///     \s*[\r\n]+                       white space up to its last line end
///     \s+(?!\S)|\s+                    other white space
struct Llama3Pattern: TextPattern {
  let maximumDigitCount: Int

  func nextMatch(in text: Span<UInt8>, from start: Int) -> Range<Int>? {
    guard let first = text.characterClass(at: start) else { return nil }
    return start..<endOfMatch(in: text, from: start, first: first)
  }

  private func endOfMatch(
    in text: Span<UInt8>, from start: Int, first: CharacterClass
  ) -> Int {
    switch first {
    case .letter:
      return text.endOfRun(of: .letter, from: start)
    case .number:
      return text.endOfRun(of: .number, from: start, limit: maximumDigitCount)
    case .lineBreak:
      break
    case .whitespace, .other:
      if let end = Self.endOfContraction(in: text, from: start) { return end }
      let second = start + text.scalar(at: start).width
      if text.characterClass(at: second) == .letter {
        return text.endOfRun(of: .letter, from: second)
      }
      let punctuation = text[start] == UInt8(ascii: " ") ? second : start
      let end = text.endOfRun(of: .other, from: punctuation)
      if end > punctuation { return text.endOfRun(of: .lineBreak, from: end) }
    }
    let run = text.whitespaceRun(from: start)
    return run.lineBreakEnd ?? run.endOfMatch(inTextOf: text.count)
  }

  /// The end of `(?i:'s|'t|'re|'ve|'m|'ll|'d)`.
  ///
  /// Ignoring case makes the long s (U+017F), whose capital is S, an s.
  static func endOfContraction(in text: Span<UInt8>, from start: Int) -> Int? {
    guard start + 1 < text.count, text[start] == UInt8(ascii: "'") else { return nil }
    let (scalar, width) = text.scalar(at: start + 1)
    let second = start + 2 < text.count ? text[start + 2] | 0x20 : 0
    switch scalar {
    case "s", "S", "\u{17F}", "t", "T", "m", "M", "d", "D": return start + 1 + width
    case "r", "R", "v", "V": return second == UInt8(ascii: "e") ? start + 3 : nil
    case "l", "L": return second == UInt8(ascii: "l") ? start + 3 : nil
    default: return nil
    }
  }
}
