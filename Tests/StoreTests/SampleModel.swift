import Bundles
import Files
import Store
import SystemPackage
import Tensors
import TestSupport

/// A bundle with weights that several can share, and a text that is its own.
struct SampleModel {
  var values: [Float] = [1, 2, 3, 4]
  var text = "[0]"

  /// Writes the bundle at `path`.
  func write(to path: FilePath) throws {
    var writer = try BundleWriter(path)
    try writer.addWeights(TensorTable(["model.norm.weight": Tensor(values, shape: [values.count])]))
    try writer.addFile("config.json", text: "{}")
    try writer.addFile("texts/note.json", text: text)
    try writer.commit(BundleManifest(architecture: "llama", createdBy: "flare test"))
  }
}

extension Store {
  /// Adds a bundle that is made for this.
  @discardableResult
  func add(
    _ model: SampleModel, as name: String, mayReplace: Bool = false, checksPresent: Bool = false
  ) throws -> StoredBundle {
    try withTemporaryDirectory { folder in
      let bundle = folder.appending("bundle")
      try model.write(to: bundle)
      return try add(
        bundle, as: StoreName(name), mayReplace: mayReplace, checksPresent: checksPresent)
    }
  }
}

/// Runs `body` with an empty store.
func withStore<Result>(_ body: (Store) throws -> Result) throws -> Result {
  try withTemporaryDirectory { try body(Store($0.appending("store"))) }
}
