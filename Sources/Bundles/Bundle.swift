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
  /// The weights, to be checked piece by piece; present in a directory with a tree that was opened
  /// with `checksFiles`.
  public let pieces: VerifiedPieces?
  /// Where the files are.
  private let directory: FilePath
  private let temporaryDirectory: TemporaryDirectory?

  /// Opens the bundle at `path`, a directory or a single file.
  ///
  /// The manifest, the presence and size of each file and the structure of the weights are checked.
  /// The bytes of a directory's files are not, unless `checksFiles` or a key asks for it: then they
  /// are before they are used, all but the tensors, which `pieces` checks while they are used or
  /// before. A bundle without a tree is read whole.
  ///
  /// - Parameters:
  ///   - keys: of which one has to have signed the bundle, if there are any.
  ///   - checksFiles: whether the bytes of a directory's files are checked.
  ///   - workerCount: the threads that decompress a single file.
  ///   - progress: told of the bytes unpacked from a single file.
  /// - Throws: `BundleError`, `WeightFileError` or `FileError`.
  public init(
    _ path: FilePath, requiring keys: [VerifyingKey] = [], checksFiles: Bool = false,
    workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws {
    self.path = path
    if path.isRegularFile {
      let temporary = try TemporaryDirectory()
      try BundleArchive(path, workerCount: workerCount).extract(
        requiring: keys, at: temporary.path, isDurable: false, progress: progress,
        to: temporary.newFile)
      temporaryDirectory = temporary
      directory = temporary.path
      manifest = try BundleManifest(inDirectory: directory)
    } else {
      temporaryDirectory = nil
      directory = path
      let head = try SignedManifest(inDirectory: path)
      if !keys.isEmpty { try head.checkSignatures(requiring: keys) }
      manifest = try head.manifest()
    }
    for file in manifest.files { try file.checkSize(in: directory, of: path) }
    let weightsName = manifest.weightsFileName
    guard let listed = manifest.files.first(where: { $0.path == weightsName }) else {
      throw BundleError(.missingFile, path, "its manifest lists no '\(weightsName)'")
    }
    let weights = try MappedFile(directory.appending(weightsName))
    let isChecked = temporaryDirectory == nil && (checksFiles || !keys.isEmpty)
    pieces = try isChecked ? Self.checkedFiles(manifest, in: directory, listed, weights) : nil
    tensors = try BundleTensors(SafetensorsFile(weights), packed: manifest.packedTensors)
    // The weights of a model are mapped for good; those of an adapter are still to be read.
    if temporaryDirectory != nil && manifest.kind != .adapter { removeTree(weights.path) }
  }

  /// Checks every byte of a directory's files but the tensors.
  ///
  /// - Returns: what checks the tensors; nil when there is no tree, and all bytes were checked.
  private static func checkedFiles(
    _ manifest: BundleManifest, in directory: FilePath, _ listed: BundleManifest.File,
    _ weights: MappedFile
  ) throws -> VerifiedPieces? {
    let tree = try MappedTree(manifest, in: directory)
    for file in manifest.files where tree == nil || file.path != listed.path {
      try file.verify(in: directory, by: tree)
    }
    guard let tree else { return nil }
    try listed.check(byteCount: weights.byteCount, at: weights.path)
    let pieces = VerifiedPieces(weights, listed: listed, in: tree)
    // The length of the header comes first, and has to be right before it is followed.
    try pieces.check(0..<min(1, weights.byteCount))
    let end = try TensorPlaces.headerEnd(
      weights.bytes, byteCount: weights.byteCount, path: weights.path)
    try pieces.check(0..<end)
    return pieces
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
