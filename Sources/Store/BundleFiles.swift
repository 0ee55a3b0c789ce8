import Bundles
public import Files
import JSON
public import Registry
public import SystemPackage
import Tensors

/// The files of a bundle directory as they are stored and pushed, each known by its digest.
public struct BundleFiles: Sendable {
  public let directory: FilePath
  /// The manifest, what it lists, and a signature when there is one.
  public let files: [StoredFile]
  let manifest: BundleManifest

  /// The manifest and its signatures, which no manifest can list.
  static let ownNames = [BundleManifest.fileName, BundleSignatures.fileName]

  /// Reads the manifest of the bundle in `directory`; the bytes of the other files are not read.
  ///
  /// - Throws: `StoreError` when it holds no bundle, `BundleError` or `FileError`.
  public init(_ directory: FilePath) throws {
    guard directory.exists else { throw FileError(.notFound, directory) }
    guard directory.isDirectory, Bundle.isBundle(directory) else {
      throw StoreError(
        .notABundle, "\(directory)", "is no bundle. 'flare convert MODEL -o DIR' makes one")
    }
    self.directory = directory
    manifest = try BundleManifest(inDirectory: directory)
    var files: [StoredFile] = []
    for name in Self.ownNames {
      let path = directory.appending(name)
      guard path.isRegularFile, let byteCount = path.fileByteCount else { continue }
      files.append(
        StoredFile(path: name, digest: try ContentDigest(of: path), byteCount: byteCount))
    }
    files += try manifest.files.map { try StoredFile($0) }
    if let defect = PlainPath.defect(in: files.map(\.path)) {
      throw StoreError(.notABundle, "\(directory)", defect)
    }
    self.files = files
  }
}

extension StoredFile {
  /// A file as the manifest of a bundle lists it.
  init(_ file: BundleManifest.File) throws(RegistryError) {
    self.init(
      path: file.path, digest: try ContentDigest("sha256:\(file.sha256)"),
      byteCount: file.byteCount)
  }
}

extension BundleFiles {
  /// Reads every file and compares it with its digest.
  ///
  /// - Parameter progress: told of the bytes read.
  /// - Throws: `StoreError` with the first file that differs, or `FileError`.
  public func verify(progress: ByteProgress? = nil) throws {
    for file in files { try file.verify(in: directory, progress: progress) }
  }

  /// What the bundle is pushed as: a layer for each file.
  public var artifactFiles: [ArtifactFile] {
    files.map {
      ArtifactFile(
        path: $0.path, source: directory.pushing(FilePath($0.path)), kind: LayerKind(of: $0.path))
    }
  }

  /// What the artifact says about the model; depends on nothing but the bundle.
  public var configuration: ModelPackConfiguration {
    var configuration = ModelPackConfiguration()
    configuration.family = manifest.architecture
    configuration.licenses = manifest.license.map { [$0] } ?? []
    configuration.architecture = "transformer"
    configuration.format = "safetensors"
    configuration.quantization = manifest.quantization?.elementType.rawValue
    configuration.parameterSize = parameterCount.flatMap(ModelPackConfiguration.parameterSize)
    return configuration
  }

  /// The elements of all tensors; nil when the weights are not those of a model.
  private var parameterCount: Int? {
    guard manifest.kind == .model, let bundle = try? Bundle(directory) else { return nil }
    var sum = 0
    for info in bundle.tensors.tensorInfos {
      let (next, overflow) = sum.addingReportingOverflow(info.shape.elementCount)
      if overflow { return nil }
      sum = next
    }
    return sum
  }
}

extension StoredFile {
  /// Reads the file in `directory` and compares it with its digest.
  func verify(in directory: FilePath, progress: ByteProgress?) throws {
    let place = directory.pushing(FilePath(path))
    let actual = try ContentDigest(of: place, progress: progress)
    guard actual == digest else {
      throw StoreError(
        .damaged, "\(place)",
        "was changed or damaged, its digest is \(actual), expected \(digest)")
    }
  }
}

extension LayerKind {
  /// What a file of a bundle is, by its name.
  fileprivate init(of path: String) {
    let name = FilePath(path).lastComponent?.string ?? path
    self =
      if name.hasSuffix(".safetensors") {
        .weight
      } else if name.hasPrefix("LICENSE") || name.hasPrefix("NOTICE") || name.hasSuffix(".md") {
        .documentation
      } else {
        .weightConfiguration
      }
  }
}
