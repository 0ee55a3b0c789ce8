import Adapters
import Kernels
import SystemPackage
import Tensors
import TestSupport
import WeightFiles

/// A GGUF adapter that a test can damage before it is written.
struct GGUFAdapterBytes {
  var metadata: GGUFMetadata = [
    "general.architecture": .string("llama"), "general.type": .string("adapter"),
    "adapter.type": .string("lora"), "adapter.lora.alpha": .float32(6),
  ]
  /// in 3, out 4, r 2.
  var tensors: [(String, Tensor)] = [
    ("blk.0.attn_v.weight.lora_a", Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])),
    ("blk.0.attn_v.weight.lora_b", Tensor([1, 0, 0, 1, 1, 1, 2, 0], shape: [4, 2])),
  ]

  /// Reads the adapter back from a file of its own, whose path begins every message.
  func read() throws -> GGUFAdapterFile {
    try withTemporaryDirectory { directory in
      let path = directory.appending("adapter.gguf")
      let table = TensorTable(tensors)
      try GGUFPlan(table.tensorInfos, metadata: metadata).write(table, to: path)
      return try GGUFAdapterFile(GGUFFile(path), with: Kernels(threadCount: 1))
    }
  }

  func setting(_ key: String, to value: GGUFValue?) -> GGUFAdapterBytes {
    var copy = self
    copy.metadata[key] = value
    return copy
  }

  /// With the tensor `name`, or without it.
  func with(_ name: String, _ tensor: Tensor?) -> GGUFAdapterBytes {
    var copy = self
    copy.tensors.removeAll { $0.0 == name }
    if let tensor { copy.tensors.append((name, tensor)) }
    return copy
  }

  func renaming(_ part: String, to other: String) -> GGUFAdapterBytes {
    var copy = self
    copy.tensors = tensors.map { ($0.0.replacing(part, with: other), $0.1) }
    return copy
  }
}
