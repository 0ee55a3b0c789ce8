package import WeightFiles

/// The ids of the special tokens in a GGUF file's metadata; where a file names none, those that the
/// kind of tokenizer has in llama.cpp.
package struct GGUFSpecialTokens: Sendable, Hashable {
  package let begin: Int?
  package let end: Int?
  package let unknown: Int?
  package let padding: Int?

  /// - Throws: `WeightFileError` when a key has a value of another type.
  package init(_ fields: GGUFFields) throws(WeightFileError) {
    let model = try fields.optional("tokenizer.ggml.model", as: String.self)
    func id(_ key: String, _ defaults: [String: Int]) throws(WeightFileError) -> Int? {
      try fields.optional("tokenizer.ggml.\(key)_token_id") ?? model.flatMap { defaults[$0] }
    }
    begin = try id("bos", ["llama": 1])
    end = try id("eos", ["llama": 2, "t5": 1])
    unknown = try id("unknown", ["llama": 0, "t5": 2])
    padding = try id("padding", ["t5": 0])
  }
}
