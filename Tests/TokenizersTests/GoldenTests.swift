import Testing
import Tokenizers

/// Ids and texts equal to those of Hugging Face's `tokenizers`, for every shape of tokenizer.
struct GoldenTests {
  @Test(arguments: TokenizerVectors.names)
  func `ids equal the reference on difficult texts`(name: String) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    let cases = try TokenizerVectors.encodings(name)
    #expect(cases.count > 200)
    for row in cases {
      let label = Comment(rawValue: row.text.debugDescription)
      #expect(tokenizer.encode(row.text, addingSpecialTokens: false) == row.ids, label)
      #expect(tokenizer.encode(row.text) == row.before + row.ids + row.after, label)
    }
  }

  @Test(arguments: TokenizerVectors.names)
  func `decoded texts equal the reference, byte for byte`(name: String) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    for row in try TokenizerVectors.decodings(name) {
      let whole = tokenizer.decode(row.ids, skippingSpecialTokens: false)
      let skipped = tokenizer.decode(row.ids)
      #expect(whole.utf8.elementsEqual(row.text.utf8), "\(row.ids)")
      #expect(skipped.utf8.elementsEqual(row.skipping.utf8), "\(row.ids)")
    }
  }

  @Test func `the tokenizers disagree with each other`() throws {
    let text = "It's 1234 o'clock\n\n  古い"
    let ids = try TokenizerVectors.names.map { try TokenizerVectors.tokenizer($0).encode(text) }
    #expect(Set(ids).count == ids.count)
  }

  @Test(arguments: ["llama3", "gpt2", "gemma"])
  func `a text survives the way to ids and back`(name: String) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    for text in ["a\u{301}b  c\r\n", "😀👍🏽 १२३", "\u{0}\u{1}", "x \u{A0}y"] {
      let ids = tokenizer.encode(text, addingSpecialTokens: false)
      #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8))
    }
  }
}
