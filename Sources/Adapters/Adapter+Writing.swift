import Files
import JSON
import SystemPackage
import Tensors
import WeightFiles

// What the writers of all layouts have in common.
extension Adapter {
  /// Writes a configuration and a file of tensors as a directory, which appears whole or not at all.
  static func write(
    _ configuration: JSONValue, _ tensors: [(String, Tensor)], named weightsName: String,
    to path: FilePath, mayReplace: Bool
  ) throws {
    let directory = try NewDirectory(path, mayReplace: mayReplace)
    let file = try directory.newFile(FilePath(configurationName))
    try file.write(configuration.serialized(isIndented: true) + "\n")
    try file.commit()
    let table = TensorTable(tensors)
    let weights = try directory.newFile(FilePath(weightsName))
    try SafetensorsPlan(table.tensorInfos, metadata: ["format": "pt"]).write(table, to: weights)
    try weights.commit()
    try directory.commit()
  }

  /// Checks that the adapter is low-rank pairs and nothing else.
  ///
  /// - Parameter layout: what has no place for more, with its article.
  /// - Throws: `AdapterError` naming the module that is more.
  func checkPlain(for layout: String, allowingDoRA: Bool = false) throws(AdapterError) {
    func refuse(_ module: String, _ what: String) -> AdapterError {
      AdapterError(
        .unsupported, path,
        "'\(module)' \(what), which \(layout) cannot express. Merge it into the base instead")
    }
    if let replacement = replacements.first {
      throw refuse(replacement.name, "is brought whole (\(replacement.origin.rawValue))")
    }
    for update in updates {
      if let fusion { throw refuse(update.module, "is of a FLARE adapter (\(fusion.rawValue))") }
      if update.magnitude != nil, !allowingDoRA {
        throw refuse(update.module, "has DoRA's lengths")
      }
      if update.outputBias != nil { throw refuse(update.module, "has a bias ('lora_bias')") }
      if update.isInWeights { throw refuse(update.module, "is in the weights already") }
    }
  }
}
