import JSON
import Testing

@testable import Tokenizers

struct AddedTokenTests {
  private func token(
    _ id: Int, _ content: String, isSingleWord: Bool = false, stripsLeft: Bool = false,
    stripsRight: Bool = false
  ) -> AddedToken {
    AddedToken(
      id: id, content: content, isSpecial: false, isSingleWord: isSingleWord,
      stripsLeft: stripsLeft, stripsRight: stripsRight, isNormalized: false)
  }

  /// The parts of a text, added tokens in brackets.
  private func parts(_ text: String, _ tokens: AddedToken...) -> String {
    let bytes = Array(text.utf8)
    let matcher = AddedTokenMatcher(tokens.map { (Array($0.content.utf8), $0) })
    return matcher.parts(of: bytes.span).map { part in
      let text = String(decoding: bytes[part.range], as: UTF8.self)
      return part.token == nil ? text : "[\(text)]"
    }.joined(separator: "|")
  }

  @Test func `the longest of the tokens that begin leftmost wins`() {
    #expect(parts("abcab", token(0, "ab"), token(1, "abc"), token(2, "bcab")) == "[abc]|[ab]")
    #expect(parts("xbcaby", token(0, "ab"), token(1, "abc"), token(2, "bcab")) == "x|[bcab]|y")
    #expect(parts("x", token(0, "ab")) == "x")
    #expect(parts("", token(0, "ab")) == "")
  }

  @Test func `a single word counts only where no word character touches it`() {
    let word = token(0, "ab", isSingleWord: true)
    #expect(parts("ab.ab", word) == "[ab]|.|[ab]")
    #expect(parts("abab _ab éab ab\u{301}", word) == "abab _ab éab ab\u{301}")
  }

  @Test func `stripping takes the white space along, once`() {
    let left = token(0, "<l>", stripsLeft: true)
    let right = token(1, "<r>", stripsRight: true)
    #expect(parts("a \n<l> b", left) == "a|[ \n<l>]| b")
    #expect(parts("a <r>\u{3000} b", right) == "a |[<r>\u{3000} ]|b")
    #expect(parts("<r> <l>", left, right) == "[<r> ]|[<l>]")
    let tab = token(2, "\t", stripsLeft: true)
    #expect(parts("<r> \t x", right, tab) == "[<r> \t ]|x")
  }

  @Test func `a normalized token is found in normalized text`() throws {
    let tokenizer = try TokenizerVectors.tokenizer("assorted")
    let id = try #require(tokenizer.id(of: "soft token"))
    #expect(tokenizer.encode("SOFT Token", addingSpecialTokens: false) == [id])
    #expect(tokenizer.encode("SOFT  Token", addingSpecialTokens: false) != [id])
    #expect(tokenizer.tokensRecognizedInText.contains { $0.id == id && !$0.isSpecial })
  }
}
