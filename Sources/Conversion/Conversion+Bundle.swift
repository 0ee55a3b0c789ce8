import Adapters
import Bundles
import Files
import JSON
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import WeightFiles

extension Conversion {
  /// Writes a bundle directory at `path`.
  func writeBundle(to path: FilePath, _ progress: ByteProgress?) throws {
    var writer = try BundleWriter(path, mayReplace: request.mayReplace, progress: progress)
    try writer.addWeights(tensors)
    try writer.addFile(ModelFiles.configurationName, text: configurationText)
    for companion in try request.model.companions() {
      switch companion.contents {
      case .file(let path): try writer.addFile(companion.name, copying: path)
      case .text(let text): try writer.addFile(companion.name, text: text)
      }
    }
    let applied = appliedAdapters
    for case (let record, let residue?) in applied {
      let staging = try TemporaryDirectory()
      try residue.write { try NewFile(staging.path.appending($0)) }
      try writer.addDirectory(record.path ?? "", copying: staging.path)
    }
    try writer.commit(try manifest(applied.map(\.record)))
  }

  /// Writes the bundle to a hidden folder beside the destination, then packs it into one file.
  func writeBundleFile(_ progress: ByteProgress?) throws {
    // Never committed: a place beside the destination that cleans up after itself.
    let staging = try NewDirectory(request.destination, mayReplace: request.mayReplace)
    let bundle = staging.temporaryPath.appending("bundle")
    try writeBundle(to: bundle, progress)
    try Bundle.pack(
      bundle, to: request.destination, mayReplace: request.mayReplace,
      workerCount: ThreadPool.coreCount)
  }

  private func manifest(_ adapters: [BundleManifest.Adapter]) throws -> BundleManifest {
    let configuration = try request.model.configuration()
    return BundleManifest(
      architecture: configuration.architecture.rawValue, createdBy: "flare \(flareVersion)",
      quantization: quantization,
      base: try base(), adapters: adapters, license: request.model.bundle?.manifest.license)
  }

  /// What the manifest says of quantization, which is only what the tensors are.
  private var quantization: BundleManifest.Quantization? {
    guard tensors.tensorInfos.contains(where: \.elementType.isQuantized) else { return nil }
    return request.quantization.map {
      BundleManifest.Quantization(scheme: "search", elementType: $0.linearType)
    } ?? request.model.bundle?.manifest.quantization
  }

  /// The model that the bundle is made from: that of the source bundle, or the source itself.
  private func base() throws -> BundleManifest.Base {
    if let base = request.model.bundle?.manifest.base { return base }
    let files = try request.model.weightPaths.map { path in
      try BundleManifest.File(hashing: path, as: path.lastComponent?.string ?? "")
    }
    return BundleManifest.Base(name: request.model.name, files: files)
  }
}
