import Evaluation
import Testing

struct AnswerNormalizationTests {
  @Test(arguments: [
    ("The  Red-Car!", "redcar"),
    ("a cat, an owl and the dog.", "cat owl and dog"),
    ("  Gajah\n", "gajah"),
    ("another", "another"),
    ("“Café”", "“café”"),
    ("\u{201C}the\u{201D} cat", "\u{201C} \u{201D} cat"),
    ("", ""),
  ])
  func `answers are compared as SQuAD does`(text: String, expected: String) {
    #expect(normalizedAnswer(text) == expected)
  }
}
