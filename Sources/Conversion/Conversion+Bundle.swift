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
  /// Writes a bundle directory.
  func writeBundle(
    to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?
  ) throws {
    let base = backgroundBase()
    let contents = try BundleContents(of: self)
    var writer = BundleWriter(into: Uncommitted(output))
    for item in contents.items {
      switch item.contents {
      case .bytes(let bytes): try writer.addFile(item.path, bytes: unsafe bytes.span.bytes)
      case .file(let file): try writer.addFile(item.path, copying: file)
      case .weights(let layout):
        let file = try output.partialFile(
          item.path, checkpointByteCount: request.output.checkpointByteCount,
          pieceByteCount: BundleManifest.Tree.standardPieceByteCount)
        try stream(to: output).write(layout, to: file, progress: progress)
        writer.addWeights(try file.finish().record(at: item.path), layout.tensors)
      }
    }
    try writer.commit(manifest(base: try base.value()))
  }

  /// Writes a bundle as one file, from front to back: the tree, which knows the pieces of all others,
  /// comes last; the manifest, which comes first and knows their hashes, gets its place at the end.
  func writeBundleFile(
    to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?
  ) throws {
    let base = backgroundBase()
    let contents = try BundleContents(of: self)
    var manifest = manifest(base: try Self.base(of: request, hashing: false))
    manifest.plan(contents.items.map(\.unhashedFile), contents.packedTensors)
    let layout = try manifest.archiveLayout(
      textByteCount: manifest.text.utf8.count, at: request.destination)
    let file = try output.partialFile(
      request.destination.lastComponent?.string ?? "",
      checkpointByteCount: request.output.checkpointByteCount,
      firstHashedByte: layout.manifestPlaceByteCount)
    let archive = try PartialArchive(layout, in: file)
    var files: [FileRecord] = []
    for item in contents.items {
      let place = try archive.nextFile()
      switch item.contents {
      case .bytes(let bytes):
        try place.write(unsafe bytes.span.extracting(place.byteCount...).bytes)
      case .file(let file): try place.write(restOf: file)
      case .weights(let layout):
        try stream(to: output).write(layout, to: place, progress: progress)
      }
      files.append(place.record(at: item.path))
    }
    let tree = BundleManifest.treeContents(of: files)
    let place = try archive.nextFile()
    try place.write(unsafe tree.span.extracting(place.byteCount...).bytes)
    manifest = self.manifest(base: try base.value())
    manifest.complete(
      with: files.map(\.file), tree: place.record(at: BundleManifest.Tree.fileName).file,
      contents.packedTensors)
    try archive.finish(manifest: manifest.text)
    _ = try file.finish()
  }

  /// Finds out what the bundle is made from, which reads every weight file once more, beside the
  /// conversion.
  private func backgroundBase() -> BackgroundResult<BundleManifest.Base> {
    BackgroundResult { [request] in try Self.base(of: request, hashing: true) }
  }

  private func manifest(base: BundleManifest.Base) -> BundleManifest {
    BundleManifest(
      architecture: configuration.architecture.rawValue, createdBy: "flare \(flareVersion)",
      quantization: quantization, base: base, adapters: appliedAdapters.map(\.record),
      license: request.model.bundle?.manifest.license)
  }

  /// What the manifest says of quantization, which is only what the tensors are.
  private var quantization: BundleManifest.Quantization? {
    guard tensors.tensorInfos.contains(where: \.elementType.isQuantized) else { return nil }
    return request.quantization.map {
      BundleManifest.Quantization(scheme: "search", elementType: $0.linearType)
    } ?? request.model.bundle?.manifest.quantization
  }

  /// The model that the bundle is made from: that of the source bundle, or the source itself.
  ///
  /// - Parameter hashing: false for hashes of zeros, which take as many bytes.
  private static func base(
    of request: ConversionRequest, hashing: Bool
  ) throws -> BundleManifest.Base {
    if let base = request.model.bundle?.manifest.base { return base }
    let files = try request.model.weightPaths.map { path in
      let name = path.lastComponent?.string ?? ""
      return hashing
        ? try BundleManifest.File(hashing: path, as: name)
        : BundleManifest.File(unhashed: name, byteCount: try MappedFile(path).byteCount)
    }
    return BundleManifest.Base(name: request.model.name, files: files)
  }
}

/// An output whose files another one commits.
private final class Uncommitted: OutputDirectory {
  private let output: PartialOutput

  init(_ output: PartialOutput) { self.output = output }

  func newFile(_ name: FilePath) throws(FileError) -> NewFile { try output.newFile(name) }

  func commit() {}
}
