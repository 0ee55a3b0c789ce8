import Files
import JSON
import SystemPackage
import Testing
import Tokenizers

/// Every defect and every unsupported option of `tokenizer.json` is one sentence that names it.
struct HostileTokenizerTests {
  /// A complete tokenizer in which each row below breaks one thing.
  private static let sound = """
    {"version": "1.0", "truncation": null, "padding": null,
     "added_tokens": [{"id": 5, "content": "<s>", "special": true, "single_word": false,
       "lstrip": false, "rstrip": false, "normalized": false}],
     "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
     "pre_tokenizer": {"type": "Split", "pattern": {"String": "_"}, "behavior": "MergedWithNext",
       "invert": false},
     "post_processor": {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
     "decoder": {"type": "Sequence", "decoders": [
       {"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "Fuse"}]},
     "model": {"type": "BPE", "dropout": null, "unk_token": "?", "fuse_unk": false,
       "vocab": {"?": 0, "_": 1, "a": 2, "b": 3, "ab": 4}, "merges": [["a", "b"]]}}
    """

  private static func tokenizer(_ text: String) throws -> Tokenizer {
    try Tokenizer(try JSONValue(parsing: text))
  }

  @Test func `the document that the rows break is sound`() throws {
    let tokenizer = try Self.tokenizer(Self.sound)
    #expect(tokenizer.encode("ab b<s>xa") == [5, 4, 1, 3, 5, 0, 2])
    #expect(tokenizer.encode("ab", addingSpecialTokens: false) == [4])
    #expect(tokenizer.decode([5, 4, 1, 3]) == "ab b")
    #expect(tokenizer.decode([5, 4], skippingSpecialTokens: false) == "<s>ab")
    #expect(tokenizer.vocabularySize == 6)
    #expect(tokenizer.id(of: "<s>") == 5 && tokenizer.id(of: "ab") == 4)
    #expect(tokenizer.id(of: "ba") == nil && tokenizer.token(for: 6) == nil)
    #expect(tokenizer.isSpecial(5) && !tokenizer.isSpecial(4))
    #expect(tokenizer.specialTokensAround == (before: [5], after: []))
  }

  @Test(arguments: [
    (#""version": "1.0""#, #""version": "2.0""#, "version '2.0', expected '1.0'"),
    (#""padding""#, #""paddling": 3, "padding""#, "option 'paddling' is 3 and is not supported"),
    (#""ab": 4"#, #""ab": 3"#, "'model': tokens 'b' and 'ab' have the same id 3"),
    (
      #""ab": 4"#, #""ab": -1"#,
      "'model': token 'ab' has id -1, expected an integer in 0..<4194304"
    ),
    (
      #""ab": 4"#, #""ab": 99999999"#,
      "'model': token 'ab' has id 99999999, expected an integer in 0..<4194304"
    ),
    (
      #""ab": 4"#, #""ab": "4""#,
      "'model': token 'ab' has id \"4\", expected an integer in 0..<4194304"
    ),
    (#""ab": 4"#, #""c": 4"#, "'model': 'merges'[0] needs the token 'ab', not in 'vocab'"),
    (#"["a", "b"]"#, #""a c""#, "'model': 'merges'[0] needs the token 'c', not in 'vocab'"),
    (#"["a", "b"]"#, #""a b b""#, "'model': 'merges'[0] is \"a b b\", expected two tokens"),
    (#"["a", "b"]"#, "7", "'model': 'merges'[0] is 7, expected two tokens"),
    (#""merges""#, #""merge""#, "'model': option 'merge' is [[\"a\",\"b\"]] and is not supported"),
    (
      #""unk_token": "?""#, #""unk_token": "!""#,
      "'model': 'unk_token' is '!', which is not in 'vocab'"
    ),
    (
      #""dropout": null"#, #""dropout": 0.1"#,
      "'model': option 'dropout' is 0.1 and is not supported"
    ),
    (
      #""dropout": null"#, #""end_of_word_suffix": "w""#,
      "'model': option 'end_of_word_suffix' is \"w\" and is not supported"
    ),
    (
      #""type": "BPE""#, #""type": "WordPiece""#,
      "'model': type 'WordPiece' is not supported (known: BPE, Unigram)"
    ),
    (#""ids": [5]"#, #""ids": [6]"#, "'post_processor' adds the id 6, which no token has"),
    (
      #""id": 5, "con"#, #""id": 6, "con"#,
      "added token '<s>' has id 6, expected 5, the next after the vocabulary"
    ),
    (
      #""id": 5, "con"#, #""id": 4, "con"#,
      "'added_tokens'[0]: '<s>' has id 4, the vocabulary gives that id to 'ab'"
    ),
    (
      #""content": "<s>""#, #""content": "ab""#,
      "'added_tokens'[0]: 'ab' has id 5, the vocabulary gives it 4"
    ),
    (#""content": "<s>""#, #""content": """#, "'added_tokens'[0]: 'content' is empty"),
    (
      #""id": 5, "con"#, #""id": -5, "con"#,
      "'added_tokens'[0]: id -5 is out of range, expected 0..<4194304"
    ),
    (
      #""normalizer": {"type": "Replace""#, #""normalizer": {"type": "NFKC""#,
      "'normalizer': type 'NFKC' is not supported (known: Sequence, Prepend, Replace, NFC, "
        + "Lowercase, Precompiled, Strip)"
    ),
    (
      #"{"String": " "}"#, #"{"Regex": " +"}"#,
      "'normalizer': the regular expression ' +' is not supported"
    ),
    (
      #"{"String": "_"}, "behavior""#, #"{"Regex": "\\p{Lu}+"}, "behavior""#,
      "'pre_tokenizer': the regular expression '\\p{Lu}+' is not one that Flare knows "
        + "(those of GPT-2, Llama 3, Llama 4, Qwen 2 and tekken)"
    ),
    ("MergedWithNext", "Sometimes", "'pre_tokenizer': 'behavior' Sometimes is not supported"),
    (
      #"{"type": "Split""#, #"{"type": "BertPreTokenizer""#,
      "'pre_tokenizer': type 'BertPreTokenizer' is not supported (known: Sequence, Split, "
        + "ByteLevel, Metaspace, Digits)"
    ),
    (
      #""TemplateProcessing""#, #""RobertaProcessing""#,
      "'post_processor': type 'RobertaProcessing' is not supported (known: Sequence, ByteLevel, "
        + "TemplateProcessing)"
    ),
    (
      #"{"id": "A""#, #"{"id": "B""#,
      "'post_processor': 'single'[1]: expected a 'SpecialToken' or the only 'Sequence', of id 'A'"
    ),
    (
      #"ken": {"id": "<s>""#, #"ken": {"id": "<t>""#,
      "'post_processor': 'single'[0]: '<t>' is not among the 'special_tokens'"
    ),
    (
      #"{"type": "Fuse"}"#, #"{"type": "Fuse"}, {"type": "ByteFallback"}"#,
      "'decoder': 'decoders'[2]: 'ByteFallback' after a decoder that joins the tokens is not "
        + "supported"
    ),
    (
      #"{"type": "Fuse"}"#, #"{"type": "Strip", "content": " ", "start": 0, "stop": 1}"#,
      "'decoder': 'decoders'[1]: option 'stop' is 1 and is not supported"
    ),
    (
      #"{"type": "Fuse"}"#, #"{"type": "WordPiece"}"#,
      "'decoder': 'decoders'[1]: type 'WordPiece' is not supported (known: Sequence, ByteLevel, "
        + "Replace, ByteFallback, Fuse, Strip, Metaspace)"
    ),
    (#""model": {"#, #""model": null, "padding2": {"#, "option 'padding2'"),
  ])
  func `a defect is named with file, component and value`(
    original: String, replacement: String, message: String
  ) throws {
    let parts = Self.sound.split(separator: original, maxSplits: 1)
    try #require(parts.count == 2)
    let broken = parts.joined(separator: replacement)
    let error = #expect(throws: TokenizerError.self) { try Self.tokenizer(broken) }
    let description = try #require(error?.description)
    #expect(description.hasPrefix("tokenizer.json: "))
    #expect(description.contains(message))
    #expect(error?.kind == .badInput)
  }

  @Test func `tokens that differ only in how an accent is written stay apart`() throws {
    let text = Self.sound
      .replacing(#""b": 3"#, with: "\"\u{E9}\": 3")
      .replacing(#""ab": 4"#, with: "\"a\u{E9}\": 4")
      .replacing(#""b"]"#, with: "\"\u{E9}\"]")
    let tokenizer = try Self.tokenizer(text)
    #expect(tokenizer.encode("a\u{E9}", addingSpecialTokens: false) == [4])
    #expect(tokenizer.encode("ae\u{301}", addingSpecialTokens: false) == [2, 0, 0])
    #expect(tokenizer.id(of: "\u{E9}") == 3 && tokenizer.id(of: "e\u{301}") == nil)
  }

  @Test func `a path without a file is an unreadable file`() {
    let error = #expect(throws: TokenizerError.self) {
      try Tokenizer(contentsOf: FilePath("no/such/tokenizer.json"))
    }
    #expect(error?.code == .unreadable)
    #expect(error?.description == "no/such/tokenizer.json: no such file or directory")
  }

  @Test func `every changed byte gives a tokenizer or an error and no trap`() throws {
    let text = Array(Self.sound.utf8)
    var accepted = 0
    for index in text.indices {
      for byte: UInt8 in [0x00, 0x22, 0x2C, 0x39, 0x5D, 0x7D, text[index] ^ 1] {
        var changed = text
        changed[index] = byte
        guard let document = try? JSONValue(parsing: changed.span),
          let tokenizer = try? Tokenizer(document)
        else { continue }
        accepted += 1
        _ = tokenizer.decode(tokenizer.encode("ab b<s>x\u{301} "))
      }
    }
    #expect(accepted > 0 && accepted < text.count * 7)
  }
}
