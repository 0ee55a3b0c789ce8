import Files
import SystemPackage
import Tensors
import TestSupport
import WeightFiles

/// A copy of an adapter with something changed.
struct EditedAdapter {
  var configuration: String
  var tensors: [(name: String, tensor: Tensor)]

  init(_ path: FilePath) throws {
    configuration = try path.appending("adapter_config.json").readText()
    let file = try SafetensorsFile(path.appending("adapter_model.safetensors"))
    tensors = try file.tensorInfos.map { ($0.name, try file.tensor(named: $0.name)) }
  }

  func write(to directory: FilePath) throws {
    try directory.appending("adapter_config.json").writeNew(configuration)
    let table = TensorTable(tensors.map { ($0.name, $0.tensor) })
    try SafetensorsPlan(table.tensorInfos).write(
      table, to: directory.appending("adapter_model.safetensors"))
  }
}
