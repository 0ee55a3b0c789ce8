import Adapters
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What a merge says about embeddings and head of its result.
struct MergedVocabularyTests {
  /// A merge of `adapter` into `name`: its configuration and its tensors.
  func merged<Result>(
    _ name: String, _ adapter: String, _ body: (JSONValue, any TensorSource) throws -> Result
  ) throws -> Result {
    try withTemporaryDirectory { directory in
      let model = try VectorModel(name)
      let destination = directory.appending("merged")
      try Conversion(
        ConversionRequest(
          model: model.files(), adapters: model.members(adapter), destination: destination,
          form: .huggingFace),
        with: model.kernels
      ).run()
      let files = try ModelFiles(destination)
      return try body(JSONValue(contentsOf: destination.appending("config.json")), files.tensors)
    }
  }

  @Test(arguments: [
    "head", "embedding", "embedding-dora", "saved-head", "saved-embeddings",
    "trainable-tokens-both",
  ])
  func `a tied head that an adapter parts from the embeddings is a tensor of its own`(
    adapter: String
  ) throws {
    try merged("gemma2", adapter) { configuration, tensors in
      #expect(configuration["tie_word_embeddings"] == false)
      let head = try tensors.tensor(named: "lm_head.weight")
      let embeddings = try tensors.tensor(named: "model.embed_tokens.weight")
      #expect(head.shape == embeddings.shape && !head.hasSameBytes(as: embeddings))
    }
  }

  @Test(arguments: ["lora", "trainable-tokens", "embedding-tied", "saved-norm"])
  func `a tied head that changes with the embeddings stays tied`(adapter: String) throws {
    try merged("gemma2", adapter) { configuration, tensors in
      #expect(configuration["tie_word_embeddings"] == true)
      #expect(tensors.info(named: "lm_head.weight") == nil)
    }
  }

  @Test(arguments: [
    ("llama", "resized"), ("llama", "resized-embedding"), ("gemma2", "resized"),
    ("gemma2", "resized-embedding"),
  ])
  func `a resized vocabulary is in the configuration`(
    model: String, adapter: String
  ) throws {
    #expect(try VectorModel(model).files().configuration().vocabularySize == 96)
    try merged(model, adapter) { configuration, tensors in
      #expect(configuration["vocab_size"] == 99)
      for name in ["model.embed_tokens.weight", "lm_head.weight"] {
        guard let info = tensors.info(named: name) else { continue }
        #expect(info.shape[0] == 99)
      }
    }
  }
}
