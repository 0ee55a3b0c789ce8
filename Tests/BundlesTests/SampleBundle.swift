import Bundles
import JSON
import SystemPackage
import Tensors
import TestSupport

/// A bundle with one of everything: a packed tensor, a plain one, text files, an adapter's folder.
enum SampleBundle {
  static let weights = TensorTable([
    "model.norm.weight": Tensor([1, 2, 3, 4], shape: [4]),
    "model.up_proj.weight": Tensor(
      bytes: (0..<640).map { UInt8(truncatingIfNeeded: $0 * 7) }, shape: [20, 32],
      elementType: .groupedInt4),
  ])

  static let description = BundleManifest(
    architecture: "llama", createdBy: "flare 1.0",
    quantization: .init(scheme: "search", elementType: .groupedInt4),
    base: .init(
      name: "tiny",
      files: [
        .init(
          path: "model.safetensors", byteCount: 7, sha256: String(repeating: "0a", count: 32))
      ]),
    adapters: [
      .init(name: "task", kind: "lora", path: nil, mergedModules: ["model.up_proj"]),
      .init(name: "flare", kind: "flare", path: "adapters/flare", mergedModules: []),
    ],
    recipe: ["rounding": "once"], license: "Apache-2.0")

  static let filePaths = [
    "adapters/flare/adapter_config.json", "config.json", "model.safetensors", "tokenizer.json",
    "tree.sha256",
  ]

  /// Writes the bundle at `path`.
  @discardableResult
  static func write(to path: FilePath, mayReplace: Bool = false) throws -> BundleManifest {
    var writer = try BundleWriter(path, mayReplace: mayReplace)
    try writer.addFile("tokenizer.json", text: #"{"model":{}}"#)
    try writer.addWeights(weights)
    try writer.addFile("config.json", text: "{}")
    try withTemporaryDirectory { adapter in
      try adapter.appending("adapter_config.json").overwrite(#"{"r":8}"#)
      try writer.addDirectory("adapters/flare", copying: adapter)
    }
    return try writer.commit(description)
  }
}
