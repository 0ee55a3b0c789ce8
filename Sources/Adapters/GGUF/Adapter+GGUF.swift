import Kernels
import SystemPackage
import Tensors
import WeightFiles

// llama.cpp's LoRA adapters.
extension Adapter {
  /// - Throws: `AdapterError` when the file is no LoRA adapter, or one for another architecture.
  init(gguf path: FilePath, for base: AdapterBase?, with kernels: Kernels) throws {
    let file = try GGUFAdapterFile(GGUFFile(path), with: kernels)
    guard let base else {
      throw AdapterError(
        .configuration, path,
        "a GGUF adapter has its rows in an order that depends on the base. Say which base it is for"
      )
    }
    if let architecture = base.architecture,
      GGUFArchitecture(modelType: architecture) != file.architecture
    {
      throw AdapterError(
        .baseMismatch, path,
        "was made for '\(file.architecture.rawValue)', the base is '\(architecture)'")
    }
    let updates = try file.modules(base.heads).map { module in
      // PEFT's halves of an embedding lie transposed.
      let isEmbedding = module.module == ModuleNames.embeddings
      return LowRankUpdate(
        module: module.module,
        loraA: isEmbedding ? module.loraB.transposed : module.loraA,
        loraB: isEmbedding ? module.loraA.transposed : module.loraB, scaling: module.scaling)
    }
    guard !updates.allSatisfy(\.isZero) else {
      throw AdapterError(
        .tensors, path, "every update is zero: the adapter would change nothing. Is it trained?")
    }
    let prefix = file.promptPrefix.map {
      "prompts have to begin with '\($0)' (adapter.lora.prompt_prefix)"
    }
    self.init(
      path: path, form: .gguf, updates: updates, baseModelName: file.baseName,
      notes: prefix.map { [$0] } ?? [])
  }
}
