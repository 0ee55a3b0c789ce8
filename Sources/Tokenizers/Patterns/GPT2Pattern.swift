/// The pattern of GPT-2, which `ByteLevel` uses when it is asked to split.
///
/// Its alternatives, in order: a contraction in lower case (`'s|'t|'re|'ve|'m|'ll|'d`); a run of
/// letters, of numbers or of anything else but white space, each with an optional space before it
/// (` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`); white space (`\s+(?!\S)|\s+`).
struct GPT2Pattern: TextPattern {
  func nextMatch(in text: Span<UInt8>, from start: Int) -> Range<Int>? {
    guard start < text.count else { return nil }
    if let end = Self.endOfContraction(in: text, from: start) { return start..<end }
    let word = text[start] == UInt8(ascii: " ") ? start + 1 : start
    if let wordClass = text.characterClass(at: word), !wordClass.isSpace {
      return start..<text.endOfRun(of: wordClass, from: word)
    }
    return start..<text.whitespaceRun(from: start).endOfMatch(inTextOf: text.count)
  }

  private static func endOfContraction(in text: Span<UInt8>, from start: Int) -> Int? {
    guard text[start] == UInt8(ascii: "'"), start + 1 < text.count else { return nil }
    let second = start + 2 < text.count ? text[start + 2] : 0
    switch text[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return second == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"):
      return second == UInt8(ascii: "l") ? start + 3 : nil
    default:
      return nil
    }
  }
}
