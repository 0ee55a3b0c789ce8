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
    let base = backgroundBase
    let contents = try BundleContents(of: self)
    var writer = BundleWriter(into: Uncommitted(output))
    var weights: FilePath?
    for item in contents.items {
      switch item.contents {
      case .bytes(let bytes): try writer.addFile(item.path, bytes: unsafe bytes.span.bytes)
      case .file(let file): try writer.addFile(item.path, copying: file)
      case .weights(let layout):
        let file = try output.partialFile(
          item.path, checkpointByteCount: request.output.checkpointByteCount,
          pieceByteCount: BundleManifest.Tree.standardPieceByteCount)
        try stream(to: output).write(layout, to: file, progress: progress)
        weights = file.path
        writer.addWeights(try file.finish().record(at: item.path), layout.tensors)
      }
    }
    if let weights, !request.probes.isEmpty {
      try writer.addFile(NumericProbes.fileName, text: try probes(weights, contents).text)
    }
    try writer.commit(try manifest(try base.value()))
  }

  /// Asks the model whose weights have been written.
  private func probes(_ weights: FilePath, _ contents: BundleContents) throws -> NumericProbes {
    let tensors = try BundleTensors(SafetensorsFile(weights), packed: contents.packedTensors)
    let residues = appliedAdapters.compactMap(\.residue).map { AdapterStack.Member($0) }
    let model = try LanguageModel(
      request.name, configuration: try JSONValue(parsing: configurationText), tensors: tensors,
      adapters: residues, with: kernels)
    return try NumericProbes(request.probes, of: model)
  }

  /// Writes a bundle as one file, from front to back: the tree, which knows the pieces of all others,
  /// comes last; the manifest, which comes first and knows their hashes, gets its place at the end.
  func writeBundleFile(
    to output: PartialOutput, _ progress: ((ConversionStep) -> Void)?
  ) throws {
    let base = backgroundBase
    let contents = try BundleContents(of: self)
    var manifest = try manifest(BundleBase(unknown: request))
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
    manifest = try self.manifest(try base.value())
    manifest.complete(
      with: files.map(\.file), tree: place.record(at: BundleManifest.Tree.fileName).file,
      contents.packedTensors)
    try archive.finish(manifest: manifest.text)
    _ = try file.finish()
  }

  /// What the bundle is made from, which takes a look at every weight, beside the conversion.
  private var backgroundBase: BackgroundResult<BundleBase> {
    BackgroundResult { [request, kernels] in try BundleBase(of: request, with: kernels) }
  }

  private func manifest(_ base: BundleBase) throws(FileError) -> BundleManifest {
    BundleManifest(
      architecture: configuration.architecture.rawValue, createdBy: "flare \(flareVersion)",
      quantization: quantization, base: base.base, adapters: appliedAdapters.map(\.record),
      recipe: try Recipe(request, model: base.input).json,
      license: request.model.bundle?.manifest.license)
  }

  /// What the manifest says of quantization, which is only what the tensors are.
  private var quantization: BundleManifest.Quantization? {
    guard tensors.tensorInfos.contains(where: \.elementType.isQuantized) else { return nil }
    return request.quantization.map {
      BundleManifest.Quantization(scheme: "search", elementType: $0.linearType)
    } ?? request.model.bundle?.manifest.quantization
  }
}

/// An output whose files another one commits.
private final class Uncommitted: OutputDirectory {
  private let output: PartialOutput

  init(_ output: PartialOutput) { self.output = output }

  func newFile(_ name: FilePath) throws(FileError) -> NewFile { try output.newFile(name) }

  func commit() {}
}
