import Testing

@testable import Tokenizers

/// What the scanners cut, worked out by hand from the regular expressions.
struct PatternTests {
  private func words(_ text: String, _ pattern: any TextPattern) -> [String] {
    let bytes = Array(text.utf8)
    var words: [String] = []
    var position = 0
    while let match = pattern.nextMatch(in: bytes.span, from: position) {
      words.append(String(decoding: bytes[match], as: UTF8.self))
      position = match.upperBound
    }
    return words
  }

  @Test(arguments: [
    ("it's IT'S a'ſo", ["it", "'s", " IT", "'S", " a", "'ſ", "o"]),
    ("we'Re 'lL a'lL", ["we", "'Re", " '", "lL", " a", "'lL"]),
    ("12345 6", ["123", "45", " ", "6"]),
    ("a  b", ["a", " ", " b"]),
    ("a  1", ["a", " ", " ", "1"]),
    ("a  ", ["a", "  "]),
    ("\tx\n\n  y", ["\tx", "\n\n", " ", " y"]),
    (" \n \r\n  z", [" \n \r\n", " ", " z"]),
    ("!?\r\n\nx", ["!?\r\n\n", "x"]),
    (" ...a", [" ...", "a"]),
    ("\u{A0}é\u{301}", ["\u{A0}é", "\u{301}"]),
    ("½Ⅷ٣४x", ["½Ⅷ٣", "४", "x"]),
  ])
  func `Llama 3 splits as its expression says`(text: String, expected: [String]) {
    #expect(words(text, Llama3Pattern(maximumDigitCount: 3)) == expected)
  }

  @Test func `Qwen 2 differs from Llama 3 in digits alone`() {
    let qwen2 = words("ab 123's", Llama3Pattern(maximumDigitCount: 1))
    #expect(qwen2 == ["ab", " ", "1", "2", "3", "'s"])
    #expect(qwen2 != words("ab 123's", Llama3Pattern(maximumDigitCount: 3)))
  }

  @Test(arguments: [
    ("it's IT'S", ["it", "'s", " IT", "'", "S"]),
    ("they'll've", ["they", "'ll", "'ve"]),
    (" 12345 ½", [" 12345", " ½"]),
    ("a\n\n b", ["a", "\n\n", " b"]),
    ("a\n\tb", ["a", "\n", "\t", "b"]),
    (" ?!x  ", [" ?!", "x", "  "]),
  ])
  func `GPT-2 splits as its expression says`(text: String, expected: [String]) {
    #expect(words(text, GPT2Pattern()) == expected)
  }

  @Test func `an expression is known by its exact text`() {
    #expect(KnownPatterns.scanner(for: KnownPatterns.llama3) is Llama3Pattern)
    #expect(KnownPatterns.scanner(for: KnownPatterns.gpt2) is GPT2Pattern)
    #expect(KnownPatterns.scanner(for: KnownPatterns.llama3 + " ") == nil)
  }

  @Test(arguments: [
    (SplitBehavior.isolated, ["a", "-", "-", "b", "-"]),
    (.removed, ["a", "b"]),
    (.mergedWithPrevious, ["a-", "-", "b-"]),
    (.mergedWithNext, ["a", "-", "-b", "-"]),
    (.contiguous, ["a", "--", "b", "-"]),
  ])
  func `a split does with its matches what its behavior says`(
    behavior: SplitBehavior, expected: [String]
  ) {
    var pieces = Pieces(Segment(bytes: Array("a--b-".utf8), beginsInput: true))
    pieces.split(by: LiteralPattern(bytes: [UInt8(ascii: "-")]), behavior, invert: false)
    #expect(pieces.ranges.map { String(decoding: pieces.bytes[$0], as: UTF8.self) } == expected)
  }

  @Test func `an inverted split exchanges matches and the text between`() {
    var pieces = Pieces(Segment(bytes: Array("a--b".utf8), beginsInput: true))
    pieces.split(by: LiteralPattern(bytes: [UInt8(ascii: "-")]), .removed, invert: true)
    #expect(pieces.ranges == [1..<2, 2..<3])
    #expect(!pieces.beginsInput)
  }
}
