import Adapters
import Bundles
import Files
import JSON
import Models
import Quantization
import SystemPackage
import Tensors
import WeightFiles

extension Conversion {
  /// Writes a bundle directory.
  ///
  /// - Parameter folder: where in the output, with a slash at its end; nothing for the output itself.
  func writeBundle(
    to output: PartialOutput, in folder: String = "", _ progress: ((ConversionStep) -> Void)?
  ) throws {
    // Reads every weight file once more, beside the conversion.
    let base = BackgroundResult { [request] in try Self.base(of: request) }
    let written = try writeWeights(to: output, in: folder, progress)
    var writer = BundleWriter(into: OutputFolder(output, folder))
    for (file, (byteCount, sha256)) in zip(weightFiles, written) {
      writer.addWeights(
        BundleManifest.File(path: file.name, byteCount: byteCount, sha256: sha256),
        file.layout.tensors)
    }
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
    try writer.commit(try manifest(applied.map(\.record), base: try base.value()))
  }

  /// Writes a bundle into the output, then packs it into one file beside it.
  func writeBundleFile(
    to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?
  ) throws {
    try writeBundle(to: output, in: "bundle/", progress)
    let name = request.destination.lastComponent?.string ?? ""
    try Bundle.pack(
      output.path.appending("files").appending("bundle"),
      to: output.path.appending("files").appending(name), mayReplace: true)
  }

  private func manifest(
    _ adapters: [BundleManifest.Adapter], base: BundleManifest.Base
  ) throws -> BundleManifest {
    let configuration = try request.model.configuration()
    return BundleManifest(
      architecture: configuration.architecture.rawValue, createdBy: "flare \(flareVersion)",
      quantization: quantization,
      base: base, adapters: adapters, license: request.model.bundle?.manifest.license)
  }

  /// What the manifest says of quantization, which is only what the tensors are.
  private var quantization: BundleManifest.Quantization? {
    guard tensors.tensorInfos.contains(where: \.elementType.isQuantized) else { return nil }
    return request.quantization.map {
      BundleManifest.Quantization(scheme: "search", elementType: $0.linearType)
    } ?? request.model.bundle?.manifest.quantization
  }

  /// The model that the bundle is made from: that of the source bundle, or the source itself.
  private static func base(of request: ConversionRequest) throws -> BundleManifest.Base {
    if let base = request.model.bundle?.manifest.base { return base }
    let files = try request.model.weightPaths.map { path in
      try BundleManifest.File(hashing: path, as: path.lastComponent?.string ?? "")
    }
    return BundleManifest.Base(name: request.model.name, files: files)
  }
}

/// A folder of an output, as a place for files.
private final class OutputFolder: OutputDirectory {
  private let output: PartialOutput
  private let folder: FilePath

  init(_ output: PartialOutput, _ folder: String) {
    self.output = output
    self.folder = FilePath(folder)
  }

  func newFile(_ name: FilePath) throws(FileError) -> NewFile {
    try output.newFile(folder.pushing(name))
  }

  /// Nothing: the output is committed as a whole.
  func commit() {}
}
