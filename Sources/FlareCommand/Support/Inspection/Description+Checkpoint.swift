import Adapters
import Conversion
import JSON
import SystemPackage
import Tensors

extension Description {
  /// What is in a pickled checkpoint of FLARE's trainer.
  init(ofCheckpoint path: FilePath, listsTensors: Bool) throws {
    let checkpoint = try TrainerCheckpoint(path, ignoresHeads: true)
    let types = TypeSummary(checkpoint.base.tensorInfos)
    self.init(path, "pickled checkpoint")
    add("base", types.text, json: types.json)
    if checkpoint.dequantizedCount > 0 {
      add(
        "from NF4", "\(checkpoint.dequantizedCount) weights",
        json: .integer(checkpoint.dequantizedCount))
    }
    for adapter in checkpoint.adapters {
      add(
        "adapter \(adapter.name)", "rank \(adapter.rank), \(adapter.modules.count) modules")
    }
    let heads = checkpoint.heads.map { "\($0.name) \($0.shape)" }
    if !heads.isEmpty {
      add(
        "no part of it", heads.joined(separator: ", "), json: .array(heads.map { .string($0) }))
    }
    add("next", "flare convert splits it into a base and its adapters")
    if listsTensors { list(checkpoint.base.tensorInfos) }
  }
}
