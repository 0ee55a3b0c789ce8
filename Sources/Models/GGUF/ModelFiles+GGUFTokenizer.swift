package import WeightFiles

extension ModelFiles {
  /// The metadata that say the model's tokenizer in GGUF's keys.
  ///
  /// - Parameter vocabularySize: rows of the embeddings; tokens that are missing are unused ones.
  package func ggufTokenizer(vocabularySize: Int) throws -> GGUFMetadata {
    if let gguf {
      var metadata = GGUFMetadata()
      for (key, value) in gguf.checkpoint.metadata where key.hasPrefix("tokenizer.") {
        metadata[key] = value
      }
      return metadata
    }
    return ["tokenizer.ggml.model": .string("no_vocab")]
  }
}
