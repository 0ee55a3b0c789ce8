public import Files
import JSON
public import SystemPackage
import WeightFiles

/// A model in the form that Flare runs: weights, tokenizer, adapters and a manifest.
///
///     let bundle = try Bundle("model.flare")
///     let tokenizer = try Tokenizer(bundle.file(named: "tokenizer.json"))
///
/// A directory is mapped where it is. A single `.flare` file is unpacked, and every hash checked,
/// into a private temporary directory that lasts as long as the bundle; the weights in it lose
/// their name as soon as they are mapped, so that even a killed process leaves no gigabytes behind.
public struct Bundle: Sendable {
  public let path: FilePath
  public let manifest: BundleManifest
  /// The weights, grouped types restored.
  public let tensors: BundleTensors
  /// Where the files are.
  private let directory: FilePath
  private let temporaryDirectory: TemporaryDirectory?

  /// Opens the bundle at `path`, a directory or a single file.
  ///
  /// The manifest, the presence and size of each file and the structure of the weights are checked;
  /// the bytes of a directory's files are not, which is what `verify` is for.
  ///
  /// - Parameters:
  ///   - workerCount: the threads that decompress a single file.
  ///   - progress: told of the bytes unpacked from a single file.
  /// - Throws: `BundleError`, `WeightFileError` or `FileError`.
  public init(
    _ path: FilePath, workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws {
    self.path = path
    if path.isRegularFile {
      let temporary = try TemporaryDirectory()
      try BundleArchive(path, workerCount: workerCount).extract(
        isDurable: false, progress: progress, to: temporary.newFile)
      temporaryDirectory = temporary
      directory = temporary.path
    } else {
      temporaryDirectory = nil
      directory = path
    }
    manifest = try BundleManifest(inDirectory: directory)
    for file in manifest.files { try file.checkSize(in: directory, of: path) }
    let weightsName = manifest.weightsFileName
    guard manifest.files.contains(where: { $0.path == weightsName }) else {
      throw BundleError(.missingFile, path, "its manifest lists no '\(weightsName)'")
    }
    let weights = directory.appending(weightsName)
    tensors = try BundleTensors(SafetensorsFile(weights), packed: manifest.packedTensors)
    // The weights of a model are mapped for good; those of an adapter are still to be read.
    if temporaryDirectory != nil && manifest.kind == .model { removeTree(weights) }
  }

  /// Whether what is at `path` can be a bundle, told from its first bytes or its manifest.
  ///
  /// A `manifest.json` that is JSON of another format belongs to some other program; one that is
  /// damaged is taken for a bundle's, so that opening it says what is wrong.
  public static func isBundle(_ path: FilePath) -> Bool {
    guard path.isDirectory else { return BundleArchive.isArchive(path) }
    let manifest = path.appending(BundleManifest.fileName)
    guard manifest.isRegularFile else { return false }
    guard let document = try? JSONValue(contentsOf: manifest) else { return true }
    return document["format"] == .string(BundleManifest.formatName)
  }

  /// The path of a file that the manifest lists, such as `tokenizer.json`, or nil.
  ///
  /// For a bundle opened from a single file, the path is good as long as the bundle lives.
  public func file(named name: String) -> FilePath? {
    manifest.files.contains { $0.path == name } ? directory.pushing(FilePath(name)) : nil
  }

  /// Where all files are; good as long as the bundle lives.
  package var filesDirectory: FilePath { directory }

  /// The folder of an adapter's files; nil when all of the adapter was merged.
  public func directory(of adapter: BundleManifest.Adapter) -> FilePath? {
    adapter.path.map { directory.pushing(FilePath($0)) }
  }
}
