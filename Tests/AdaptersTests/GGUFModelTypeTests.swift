import Adapters
import Kernels
import SystemPackage
import TestSupport
import Testing

/// A base goes by its `model_type`, which is not always the name of its architecture in GGUF.
struct GGUFModelTypeTests {
  static let heads = AttentionHeadCounts(query: 4, keyValue: 2)

  @Test(
    arguments: [
      ("gemma3", "gemma3_text", GGUFArchitecture.gemma3), ("qwen2", "qwen2", .qwen2),
      ("qwen2", "qwen3", .qwen3), ("qwen2", "mistral", .llama),
    ])
  func `an adapter comes back from GGUF as it was`(
    folder: String, modelType: String, architecture: GGUFArchitecture
  ) throws {
    try withTemporaryDirectory { directory in
      let kernels = try Kernels(threadCount: 1)
      let base = AdapterBase(architecture: modelType, heads: Self.heads)
      let adapter = try Adapter(Vectors.path("architectures/\(folder)/lora"), with: kernels)
      let path = directory.appending("lora.gguf")
      try adapter.writeGGUF(to: path, for: base, with: kernels)
      let back = try Adapter(path, for: base, with: kernels)
      #expect(back.updates.count == adapter.updates.count)
      for (a, b) in zip(adapter.updates, back.updates) {
        #expect(a.module == b.module && a.loraA.floatArray == b.loraA.floatArray)
        #expect(
          a.loraB.floatArray.map { $0 * a.scaling } == b.loraB.floatArray.map { $0 * b.scaling })
      }
      // A base of another architecture is told apart by the name in the file.
      let name = architecture == .gemma3 ? "gemma2" : "gemma3_text"
      let error = #expect(throws: AdapterError.self) {
        try Adapter(path, for: AdapterBase(architecture: name, heads: Self.heads), with: kernels)
      }
      #expect(error?.detail == "was made for '\(architecture.rawValue)', the base is '\(name)'")
    }
  }
}
