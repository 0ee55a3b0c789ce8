import JSON
import Testing

@testable import Tokenizers

/// Ids and texts equal to those of sentencepiece, for every rule a `tokenizer.model` can ask for.
struct SentencePieceTests {
  @Test(arguments: TokenizerVectors.sentencePieceNames)
  func `ids equal sentencepiece's on difficult texts`(name: String) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    let cases = try TokenizerVectors.encodings(name)
    #expect(cases.count > 200)
    for row in cases {
      let ids = tokenizer.encode(row.text, addingSpecialTokens: false)
      #expect(ids == row.ids, Comment(rawValue: row.text.debugDescription))
    }
  }

  @Test(arguments: TokenizerVectors.sentencePieceNames)
  func `decoded texts equal sentencepiece's`(name: String) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    // SentencePiece writes ' ⁇ ' for the unknown token; Hugging Face's libraries, and Flare, nothing.
    for row in try TokenizerVectors.decodings(name) where !row.text.contains("\u{2047}") {
      #expect(tokenizer.decode(row.ids).utf8.elementsEqual(row.text.utf8), "\(row.ids)")
    }
  }

  /// What `tokenizers` gives: an unknown character costs 10 more than the worst piece, no more, no less.
  @Test(arguments: [(-1, -11.5, [3, 4]), (-0.5, -12, [1, 2, 0])])
  func `an unknown character is weighed against bad pieces`(
    first: Double, last: Double, expected: [Int]
  ) throws {
    let tokenizer = try Tokenizer([
      "added_tokens": [],
      "model": [
        "type": "Unigram", "unk_id": 0, "byte_fallback": false,
        "vocab": [
          ["<unk>", 0], ["p", .number(first)], ["qr", -1], ["pq", -12], ["rs", .number(last)],
        ],
      ],
    ])
    #expect(tokenizer.encode("pqrs") == expected)
  }

  @Test func `a model for Llama begins a text, one for T5 has nothing to begin with`() throws {
    let llama = try TokenizerVectors.tokenizer("sentencepiece/llama")
    #expect(llama.encode("a").first == llama.id(of: "<s>"))
    #expect(try TokenizerVectors.tokenizer("sentencepiece/t5").specialTokensAround == ([], []))
  }
}
