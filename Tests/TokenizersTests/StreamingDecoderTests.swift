import Testing
import Tokenizers

struct StreamingDecoderTests {
  @Test(arguments: TokenizerVectors.names)
  func `the pieces of a stream make up the decoded text`(name: String) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    for row in try TokenizerVectors.decodings(name) {
      var decoder = tokenizer.streamingDecoder(skippingSpecialTokens: false)
      var text = ""
      for id in row.ids { text += decoder.append(id) }
      text += decoder.finish()
      #expect(text.utf8.elementsEqual(row.text.utf8), "\(row.ids)")
    }
  }

  @Test func `a character of several byte-level tokens comes out whole`() throws {
    let tokenizer = try TokenizerVectors.tokenizer("gpt2")
    let ids = tokenizer.encode("😀!", addingSpecialTokens: false)
    #expect(ids.count == 5)
    var decoder = tokenizer.streamingDecoder()
    #expect(ids.map { decoder.append($0) } == ["", "", "", "😀", "!"])
    #expect(decoder.finish() == "")
  }

  @Test func `a run of byte tokens comes out when it ends`() throws {
    let tokenizer = try TokenizerVectors.tokenizer("gemma")
    let ids = tokenizer.encode("😀a", addingSpecialTokens: false)
    #expect(ids.count == 5)
    var decoder = tokenizer.streamingDecoder()
    #expect(ids.map { decoder.append($0) } == ["", "", "", "", "😀a"])
    #expect(decoder.finish() == "")
  }

  @Test(arguments: [("gpt2", "\u{FFFD}"), ("gemma", "\u{FFFD}\u{FFFD}")])
  func `half a character at the end is shown as such and not lost`(
    name: String, replacement: String
  ) throws {
    let tokenizer = try TokenizerVectors.tokenizer(name)
    let ids = tokenizer.encode("😀", addingSpecialTokens: false)
    var decoder = tokenizer.streamingDecoder()
    #expect(decoder.append(ids[0]) + decoder.append(ids[1]) == "")
    #expect(decoder.finish() == replacement)
  }

  @Test func `the leading space of a Llama 2 text goes, later ones stay`() throws {
    let tokenizer = try TokenizerVectors.tokenizer("llama2")
    var decoder = tokenizer.streamingDecoder()
    let pieces = tokenizer.encode("the the").map { decoder.append($0) }
    #expect(pieces.joined() + decoder.finish() == "the the")
    #expect(pieces.last?.first == " ")
  }

  @Test func `ids without a token add nothing`() throws {
    let tokenizer = try TokenizerVectors.tokenizer("llama3")
    #expect(tokenizer.decode([-1, tokenizer.vocabularySize, .max]) == "")
    #expect(tokenizer.token(for: tokenizer.vocabularySize) == nil)
    #expect(tokenizer.token(for: tokenizer.vocabularySize - 1) != nil)
  }
}
