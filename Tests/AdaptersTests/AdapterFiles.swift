import Adapters
import JSON
import Kernels
import SystemPackage
import Tensors
import TestSupport
import WeightFiles

/// An adapter directory that a test can damage before it is written.
struct AdapterFiles {
  /// `[module: (A, B)]` of one adapted layer: in 4, out 6, r 2.
  static let module = "model.layers.0.self_attn.q_proj"
  static let prefix = "base_model.model.\(module)"

  var configuration: [String: JSONValue] = [
    "peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"],
  ]
  var tensors: [(String, Tensor)] = [
    ("\(prefix).lora_A.weight", Tensor([1, 2, 3, 4, 5, 6, 7, 8], shape: [2, 4])),
    (
      "\(prefix).lora_B.weight",
      Tensor([1, 0, 0, 1, 1, 1, 2, 0, 0, 2, -1, 1], shape: [6, 2])
    ),
  ]

  /// A base that the adapter fits.
  static let base = TensorTable([
    ("\(module).weight", Tensor((0..<24).map { Float($0) }, shape: [6, 4])),
    ("model.norm.weight", Tensor([1, 1, 1, 1], shape: [4])),
  ])

  func write(into directory: FilePath) throws {
    let json = JSONValue.object(JSONObject(configuration.map { ($0.key, $0.value) }))
    try directory.appending("adapter_config.json").overwrite(json.serialized())
    let table = TensorTable(tensors)
    try SafetensorsPlan(table.tensorInfos).write(
      table, to: directory.appending("adapter_model.safetensors"))
  }

  /// Reads the adapter back from a directory of its own.
  func read() throws -> Adapter {
    try withTemporaryDirectory { directory in
      try write(into: directory)
      return try Adapter(directory, with: Kernels(threadCount: 1))
    }
  }
}

extension AdapterFiles {
  func setting(_ key: String, to value: JSONValue) -> AdapterFiles {
    var copy = self
    copy.configuration[key] = value
    return copy
  }

  func with(tensors: [(String, Tensor)]) -> AdapterFiles {
    var copy = self
    copy.tensors = tensors
    return copy
  }
}
