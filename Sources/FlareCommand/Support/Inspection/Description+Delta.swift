import Bundles
import JSON
import SystemPackage

extension Description {
  /// What a delta changes, and of which model.
  init(ofDelta path: FilePath, listsTensors: Bool) throws {
    let bundle = try Bundle(path)
    let manifest = bundle.manifest
    let infos = bundle.tensors.tensorInfos
    let types = TypeSummary(infos)
    self.init(path, "delta")
    add("architecture", manifest.architecture)
    add("made from", manifest.base.map { "\($0.name)\($0.fingerprintText)" } ?? "nothing")
    add("makes", manifest.delta.map { "the model \($0.fingerprint.prefix(12))" } ?? "nothing")
    add("changes", "\(infos.count) tensors", json: .integer(infos.count))
    let removed = manifest.delta?.removedTensors ?? []
    if !removed.isEmpty {
      add("removes", "\(removed.count) tensors", json: .array(removed.map { .string($0) }))
    }
    add("weights", types.sizeText, json: types.json)
    add("licence", manifest.license ?? "not stated")
    append("types", types.table, json: types.json)
    if listsTensors { list(infos) }
  }
}
