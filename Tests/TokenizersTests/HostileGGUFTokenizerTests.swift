import SystemPackage
import Testing
import WeightFiles

@testable import Tokenizers

/// Every defect of the keys `tokenizer.ggml.*` is one sentence that names the key.
struct HostileGGUFTokenizerTests {
  private static func strings(_ values: String...) -> GGUFValue { .array(GGUFArray(values)) }

  private static func floats(_ values: Float...) -> GGUFValue {
    .array(GGUFArray(.float32, values.map { .float32($0) }))
  }

  private static func integers(_ values: Int32...) -> GGUFValue {
    .array(GGUFArray(.int32, values.map { .int32($0) }))
  }

  /// Keys without their prefix; a value of nil takes one away.
  private static func tokenizer(
    _ keys: GGUFMetadata, _ changes: [String: GGUFValue?]
  ) throws -> Tokenizer {
    var metadata = GGUFMetadata()
    for (key, value) in keys where changes[key] == nil { metadata["tokenizer.ggml.\(key)"] = value }
    for case (let key, let value?) in changes { metadata["tokenizer.ggml.\(key)"] = value }
    return try Tokenizer(GGUFFields(path: "m.gguf", metadata: metadata))
  }

  private static let scored: GGUFMetadata = [
    "model": .string("llama"), "tokens": strings("<unk>", "<s>", "</s>", "▁", "a", "▁a", "aa"),
    "scores": floats(0, 0, 0, -1, -2, -3, -4), "token_type": integers(2, 3, 3, 1, 1, 1, 1),
  ]

  private static let bytes: GGUFMetadata = [
    "model": .string("gpt2"), "pre": .string("llama-bpe"), "tokens": strings("a", "b", "ab", "<s>"),
    "token_type": integers(1, 1, 1, 3), "merges": strings("a b"), "bos_token_id": .uint32(3),
  ]

  @Test func `the keys that the rows break are sound, with llama.cpp's defaults`() throws {
    let scored = try Self.tokenizer(Self.scored, [:])
    #expect(scored.encode("a aa</s>") == [1, 5, 5, 4, 2])
    #expect(scored.decode([1, 5, 5, 4]) == "a aa")
    let bytes = try Self.tokenizer(Self.bytes, [:])
    #expect(bytes.encode("ab") == [3, 2])
    #expect(try Self.tokenizer(Self.bytes, ["add_bos_token": .bool(false)]).encode("ab") == [2])
    #expect(try Self.tokenizer(Self.bytes, ["pre": .string("gpt-2")]).encode("ab") == [2])
    #expect(
      try Self.tokenizer(Self.scored, ["add_space_prefix": .bool(false)]).encode("a") == [1, 4])
  }

  @Test(
    arguments: [
      ("model", nil, "'tokenizer.ggml.model' is missing, expected a string"),
      (
        "model", .string("rwkv"),
        "'tokenizer.ggml.model' is 'rwkv', which is not supported (known: llama, gpt2, t5)"
      ),
      ("tokens", nil, "'tokenizer.ggml.tokens' is missing, expected an array, each a string"),
      ("scores", floats(1, 2), "'tokenizer.ggml.scores' has 2 elements, expected 7, one a token"),
      (
        "token_type", integers(1),
        "'tokenizer.ggml.token_type' has 1 elements, expected 7, one a token"
      ),
      (
        "token_type", integers(2, 3, 3, 1, 1, 1, 7),
        "'tokenizer.ggml.token_type' gives token 6 the type 7, expected 1 to 6"
      ),
      (
        "scores", floats(0, 0, 0, -1000, -1000, -1000, -1000),
        "'tokenizer.ggml.scores' gives every token -1000.0, so the order of merges is lost. Convert the "
          + "model anew from its 'tokenizer.model'"
      ),
      ("scores", floats(0, 0, 0, -1, -2, .nan, -4), "the score of token 5 '▁a' is nan"),
      (
        "tokens", strings("<unk>", "<s>", "</s>", "▁", "a", "▁a", "a"),
        "tokens 4 and 6 are both 'a'"
      ),
      (
        "bos_token_id", .uint32(7), "the beginning token has id 7, expected 0..<7, the vocabulary"
      ),
      ("eos_token_id", .int32(-1), "the end token has id -1, expected 0..<7, the vocabulary"),
      (
        "unknown_token_id", .uint64(1 << 40),
        "the unknown token has id 1099511627776, expected 0..<7, the vocabulary"
      ),
      (
        "add_bos_token", .uint8(1),
        "'tokenizer.ggml.add_bos_token' is 1 (u8), expected true or false"
      ),
    ] as [(String, GGUFValue?, String)])
  func `a defect of a scored vocabulary is named`(key: String, value: GGUFValue?, message: String) {
    let error = #expect(throws: TokenizerError.self) {
      try Self.tokenizer(Self.scored, [key: value])
    }
    #expect(error?.description == "m.gguf: " + message)
  }

  @Test(
    arguments: [
      (
        "pre", nil,
        "'tokenizer.ggml.pre' is missing, so how the model cuts words is not known. Convert the model "
          + "anew, or set the key (known: gpt-2, llama-bpe, llama4, qwen2, smaug-bpe, smollm, tekken)"
      ),
      (
        "pre", .string("default"),
        "'tokenizer.ggml.pre' is 'default', which is not supported (known: gpt-2, llama-bpe, llama4, "
          + "qwen2, smaug-bpe, smollm, tekken)"
      ),
      ("merges", nil, "'tokenizer.ggml.merges' is missing, expected an array, each a string"),
      (
        "merges", strings("ab"),
        "'tokenizer.ggml.merges' has 'ab' at 0, expected two tokens and a space"
      ),
      ("merges", strings("a c"), "'model': 'merges'[0] needs the token 'c', not in 'vocab'"),
      ("merges", strings("b a"), "'model': 'merges'[0] needs the token 'ba', not in 'vocab'"),
      ("bos_token_id", nil, "a token for the beginning is to be added, and none is named"),
    ] as [(String, GGUFValue?, String)])
  func `a defect of a byte-level vocabulary is named`(
    key: String, value: GGUFValue?, message: String
  ) {
    let error = #expect(throws: TokenizerError.self) {
      try Self.tokenizer(Self.bytes, [key: value])
    }
    #expect(error?.description == "m.gguf: " + message)
  }
}
