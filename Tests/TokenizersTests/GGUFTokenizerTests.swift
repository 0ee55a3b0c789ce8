import Files
import JSON
import SystemPackage
import TestSupport
import Testing
import WeightFiles

@testable import Tokenizers

/// The way of a tokenizer into a GGUF file's metadata, and back to `tokenizer.json`.
struct GGUFTokenizerTests {
  private static let texts = [
    "", " ", "Hello  world", " it's 1234 o'clock\n\n  古い e\u{301}", "<s>x</s>", "aaaaaaaa",
    "\u{1F600} \u{0} tabs\t\t!?", "Who built THE bridge?", "cafe\u{301}  ▁ x",
  ]

  /// A directory with the vectors' tokenizer, less the added tokens that look at their neighbours.
  private static func withDirectory<Result>(
    _ name: String, _ body: (FilePath) throws -> Result
  ) throws -> Result {
    try withTemporaryDirectory { directory in
      var document = try #require(TokenizerVectors.document(name, "tokenizer.json").object)
      let added = try #require(document["added_tokens"]?.array)
      let looksAround: Set<JSONValue> = ["<mask>", "<end>", "flare", "soft token"]
      document["added_tokens"] = .array(
        added.filter { !looksAround.contains($0["content"] ?? nil) })
      try directory.appending("tokenizer.json").overwrite(JSONValue.object(document).serialized())
      return try body(directory)
    }
  }

  private static func fields(_ metadata: GGUFMetadata) -> GGUFFields {
    GGUFFields(path: "model.gguf", metadata: metadata)
  }

  @Test(arguments: ["llama3", "gpt2", "qwen2", "tekken", "llama4"])
  func `a byte-level tokenizer gives its ids from GGUF keys, and from a file made of them`(
    name: String
  ) throws {
    try Self.withDirectory(name) { directory in
      let original = try Tokenizer(contentsOf: directory)
      let metadata = try Tokenizer.ggufMetadata(
        ofHuggingFace: directory, vocabularySize: original.vocabularySize + 3)
      let read = try Tokenizer(Self.fields(metadata))
      let files = try Tokenizer.huggingFaceFiles(of: Self.fields(metadata))
      let again = try Tokenizer(files.tokenizer)
      for text in Self.texts + (try TokenizerVectors.encodings(name).map(\.text)) {
        let ids = original.encode(text)
        #expect(read.encode(text) == ids, Comment(rawValue: text.debugDescription))
        #expect(again.encode(text) == ids, Comment(rawValue: text.debugDescription))
        #expect(read.decode(ids) == original.decode(ids))
      }
      #expect(read.token(for: original.vocabularySize) == "[PAD\(original.vocabularySize)]")
    }
  }

  @Test func `a normalizer that llama.cpp would leave out is refused`() throws {
    let directory = TokenizerVectors.directory("sentencepiece/plain")
    let error = #expect(throws: TokenizerError.self) {
      try Tokenizer.ggufMetadata(ofHuggingFace: directory, vocabularySize: 1000)
    }
    #expect(
      error?.description
        == "tokenizer.model: a GGUF file cannot hold the tokenizer: its normalizer maps characters or "
        + "removes spaces, which llama.cpp does not do for BPE")
  }

  @Test func `a T5 tokenizer gives its ids from GGUF keys, and is no tokenizer.json`() throws {
    let directory = TokenizerVectors.directory("sentencepiece/t5")
    let size = try Tokenizer(contentsOf: directory).vocabularySize
    let fields = Self.fields(
      try Tokenizer.ggufMetadata(ofHuggingFace: directory, vocabularySize: size))
    let read = try Tokenizer(fields)
    let symbols = try Self.symbols(of: directory)
    for row in try TokenizerVectors.encodings("sentencepiece/t5")
    where !symbols.contains(where: row.text.contains) {
      #expect(read.encode(row.text, addingSpecialTokens: false) == row.ids)
    }
    #expect(throws: TokenizerError.self) { try Tokenizer.huggingFaceFiles(of: fields) }
  }

  /// User-defined symbols, which become tokens of their own before the text is normalized, as they
  /// stand in a text.
  private static func symbols(of directory: FilePath) throws -> [String] {
    try PieceVocabulary(sentencePiece: directory.appending("tokenizer.model")).pieces
      .filter { $0.kind == .userDefined }.flatMap { [$0.text, $0.text.replacing("▁", with: " ")] }
  }

  @Test(arguments: ["llama", "gemma", "unigram"].map { "sentencepiece/\($0)" })
  func `a SentencePiece model gives its ids from GGUF keys, and from a file made of them`(
    name: String
  ) throws {
    let directory = TokenizerVectors.directory(name)
    let original = try Tokenizer(contentsOf: directory)
    let metadata = try Tokenizer.ggufMetadata(
      ofHuggingFace: directory, vocabularySize: original.vocabularySize + 3)
    let read = try Tokenizer(Self.fields(metadata))
    let files = try Tokenizer.huggingFaceFiles(of: Self.fields(metadata))
    try withTemporaryDirectory { copy in
      try copy.appending("tokenizer.json").overwrite(files.tokenizer.serialized())
      try copy.appending("tokenizer_config.json").overwrite(files.configuration.serialized())
      let again = try Tokenizer(contentsOf: copy)
      let symbols = try Self.symbols(of: directory)
      for row in try TokenizerVectors.encodings(name)
      where !symbols.contains(where: row.text.contains) {
        let label = Comment(rawValue: row.text.debugDescription)
        #expect(read.encode(row.text, addingSpecialTokens: false) == row.ids, label)
        // Hugging Face's unigram model takes text that spells a byte's token for that token.
        if name == "sentencepiece/unigram" && row.text.contains("<0x") { continue }
        #expect(again.encode(row.text, addingSpecialTokens: false) == row.ids, label)
      }
    }
  }

  @Test func `the keys are those of llama.cpp's converter, in its order`() throws {
    try Self.withDirectory("llama3") { directory in
      try directory.appending("tokenizer_config.json").overwrite(
        #"{"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|end_of_text|>"}}"#)
      let original = try Tokenizer(contentsOf: directory)
      let turn = try #require(original.id(of: "<|eot_id|>"))
      let end = try #require(original.id(of: "<|end_of_text|>"))
      let metadata = try Tokenizer.ggufMetadata(
        ofHuggingFace: directory, vocabularySize: original.vocabularySize, endIDs: [end, turn])
      #expect(
        metadata.keys.map { $0.dropFirst("tokenizer.ggml.".count) } == [
          "model", "pre", "tokens", "token_type", "merges", "bos_token_id", "eos_token_id",
          "eot_token_id", "add_bos_token", "add_eos_token", "add_space_prefix",
        ])
      #expect(metadata["tokenizer.ggml.pre"] == .string("llama-bpe"))
      #expect(metadata["tokenizer.ggml.eos_token_id"] == .uint32(UInt32(end)))
      #expect(metadata["tokenizer.ggml.eot_token_id"] == .uint32(UInt32(turn)))
      #expect(metadata["tokenizer.ggml.add_bos_token"] == .bool(true))
      let ends = [end, turn, 0]
      let more = try Tokenizer.ggufMetadata(
        ofHuggingFace: directory, vocabularySize: original.vocabularySize, endIDs: ends)
      #expect(
        more["tokenizer.ggml.flare_end_token_ids"].flatMap([Int].init(gguf:)) == [turn, 0])
    }
  }
}
