import Files
import JSON
import SystemPackage
import Testing
import Tokenizers

/// The golden files that `tools/make_tokenizer_vectors.py` writes with Hugging Face's `tokenizers`.
enum TokenizerVectors {
  static let names = [
    "llama3", "gpt2", "qwen2", "gemma", "llama2", "mistral", "assorted", "tekken", "llama4",
    "sentencepiece/unigram_json",
  ]

  /// Models that `tools/make_sentencepiece_vectors.py` trains, and what sentencepiece makes of text.
  static let sentencePieceNames = ["llama", "gemma", "plain", "t5", "unigram"]
    .map { "sentencepiece/\($0)" }

  static func directory(_ name: String, file: String = #filePath) -> FilePath {
    FilePath(file).removingLastComponent().removingLastComponent()
      .appending("Vectors").pushing(
        FilePath(name.contains("/") ? name : "tokenizers/\(name)"))
  }

  static func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(contentsOf: directory(name))
  }

  struct Encoding {
    let text: String
    /// The ids of the text, and those that the post-processor puts around.
    let ids, before, after: [Int]
  }

  struct Decoding {
    let ids: [Int]
    let text, skipping: String
  }

  static func encodings(_ name: String) throws -> [Encoding] {
    try cases("encode", of: name).map { fields in
      Encoding(
        text: try fields.required("text"), ids: try fields.required("ids"),
        before: try fields.required("before"), after: try fields.required("after"))
    }
  }

  static func decodings(_ name: String) throws -> [Decoding] {
    try cases("decode", of: name).map { fields in
      Decoding(
        ids: try fields.required("ids"), text: try fields.required("text"),
        skipping: try fields.required("skipping"))
    }
  }

  private static func cases(_ kind: String, of name: String) throws -> [JSONFields] {
    let document = try document(name, "cases.json")
    let rows = try #require(document[kind]?.array)
    return try rows.map { try JSONFields($0, subject: "\(name) \(kind)") }
  }

  static func document(_ name: String, _ file: String) throws -> JSONValue {
    let file = try MappedFile(directory(name).appending(file))
    return try JSONValue(parsing: Span(_bytes: file.bytes))
  }
}
