import Bundles
import Files
import JSON
public import Kernels
public import Models
public import SystemPackage
import Tensors

/// A model on its way into a delta: the tensors in which it differs from a base, and all its small files.
public struct DeltaPackaging: Sendable {
  public let model: ModelFiles
  public let base: ModelFiles
  /// The tensors that the delta holds.
  public let changedNames: [String]
  /// Tensors of the base that the model has not.
  public let removedNames: [String]
  private let identities: (model: ModelIdentity, base: ModelIdentity)

  /// Compares the two, which reads both unless their identities are known.
  ///
  /// - Throws: a `FlareError` when one is quantized, their architectures differ, or they are the same.
  public init(
    _ model: ModelFiles, from base: ModelFiles, with kernels: Kernels,
    progress: ((Int) -> Void)? = nil
  ) throws {
    self.model = model
    self.base = base
    let cache = IdentityCache()
    let own = try cache.identity(of: model, with: kernels, progress: progress)
    let other = try cache.identity(of: base, with: kernels, progress: progress)
    identities = (own, other)
    guard own.architecture == other.architecture else {
      throw ConversionError(
        .badInput,
        "\(model.path): is '\(own.architecture)', and \(base.path) is '\(other.architecture)'")
    }
    guard own != other else {
      throw ConversionError(
        .badInput, "\(model.path): has the weights of \(base.path), so that there is no delta")
    }
    guard model.appliedAdapters.allSatisfy({ $0.path == nil }) else {
      throw ConversionError(
        .badInput,
        "\(model.path): has adapters beside its weights, which a delta cannot hold. Pack the bundle"
      )
    }
    changedNames = model.tensors.tensorInfos.map(\.name).filter {
      own.tensors[$0] != nil && own.tensors[$0] != other.tensors[$0]
    }
    removedNames = other.tensors.keys.filter { own.tensors[$0] == nil }.sorted()
  }

  /// Writes the delta, which appears whole or not at all.
  ///
  /// - Parameter destination: one file when it is named `*.flare`, else a directory.
  public func run(to destination: FilePath, mayReplace: Bool, workerCount: Int) throws {
    guard destination.hasExtension("flare") else {
      return try write(to: destination, mayReplace: mayReplace)
    }
    let staging = try NewDirectory(
      destination.removingLastComponent().appending(
        "\(destination.lastComponent?.string ?? "").folder"))
    let directory = staging.temporaryPath.appending("delta")
    try write(to: directory, mayReplace: false)
    try Bundle.pack(
      directory, to: destination, mayReplace: mayReplace, workerCount: workerCount)
  }

  private func write(to directory: FilePath, mayReplace: Bool) throws {
    var writer = try BundleWriter(directory, mayReplace: mayReplace)
    let infos = changedNames.compactMap { model.tensors.info(named: $0) }
    try writer.addWeights(
      RenamedTensors(infos.map { (name: $0.name, original: $0) }, of: model.tensors))
    try writer.addFile(
      ModelFiles.configurationName,
      text: model.configurationJSON.serialized(isIndented: true) + "\n")
    for companion in try model.companions() {
      switch companion.contents {
      case .file(let path): try writer.addFile(companion.name, copying: path)
      case .text(let text): try writer.addFile(companion.name, text: text)
      }
    }
    try writer.commit(
      BundleManifest(
        kind: .delta, architecture: identities.model.architecture,
        createdBy: "flare \(flareVersion)",
        base: BundleManifest.Base(name: base.name, fingerprint: identities.base.fingerprint),
        adapters: model.appliedAdapters,
        delta: BundleManifest.Delta(
          fingerprint: identities.model.fingerprint, removedTensors: removedNames),
        license: model.bundle?.manifest.license))
  }
}
