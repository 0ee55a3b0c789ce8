public import Files
public import SystemPackage
public import Tensors
package import WeightFiles

/// Writes a bundle directory, which appears whole or not at all.
///
///     var writer = try BundleWriter("model.bundle")
///     try writer.addWeights(quantized)
///     try writer.addFile("tokenizer.json", copying: source.appending("tokenizer.json"))
///     try writer.commit(BundleManifest(architecture: "llama", createdBy: "flare 1.0"))
///
/// Every byte is hashed on its way to the disk; the tree and the manifest come last.
public struct BundleWriter: ~Copyable {
  /// The file that holds a bundle's tensors.
  public static let weightsFileName = "model.safetensors"

  private let directory: any OutputDirectory
  private let progress: ByteProgress?
  private var files: [FileRecord] = []
  private var packedTensors: [TensorInfo] = []

  /// Starts a bundle that will be at `path`.
  ///
  /// - Parameters:
  ///   - mayReplace: whether a directory that is already there may be replaced.
  ///   - progress: told of all bytes written.
  /// - Throws: `FileError` when something is there, or the parent folder cannot be written.
  public init(
    _ path: FilePath, mayReplace: Bool = false, progress: ByteProgress? = nil
  ) throws(FileError) {
    self.init(into: try NewDirectory(path, mayReplace: mayReplace), progress: progress)
  }

  /// Starts a bundle in a directory that its last step commits.
  public init(into directory: any OutputDirectory, progress: ByteProgress? = nil) {
    self.directory = directory
    self.progress = progress
  }

  /// Writes all tensors of `source`, one at a time; grouped ones as they lie in memory.
  ///
  /// - Throws: `FileError`, or `TensorSourceError` from `source`.
  /// - Precondition: it is called once.
  public mutating func addWeights(_ source: some TensorSource) throws {
    let plan = Self.weightsPlan(source.tensorInfos)
    let file = try newFile(Self.weightsFileName)
    try plan.write(source, to: file, progress: progress)
    addWeights(try file.commit(as: Self.weightsFileName), plan.tensors)
  }

  /// Takes note of weights that were written into the directory by other means.
  ///
  /// - Precondition: none were added before.
  package mutating func addWeights(_ file: FileRecord, _ tensors: [TensorInfo]) {
    files.append(file)
    packedTensors = tensors.filter(\.elementType.isQuantized)
  }

  /// The file of the weights.
  package static func weightsPlan(_ tensors: [TensorInfo]) -> SafetensorsPlan {
    SafetensorsPlan(tensors, metadata: ["format": "pt"])
  }

  /// Writes a file with these bytes.
  ///
  /// - Parameter path: where it will be in the bundle, with `/` between folders.
  /// - Throws: `FileError` when it cannot be written.
  /// - Precondition: the path stays in the bundle and is new.
  public mutating func addFile(_ path: String, bytes: RawSpan) throws(FileError) {
    let file = try newFile(path)
    try file.write(bytes)
    progress?(bytes.byteCount)
    files.append(try file.commit(as: path))
  }

  /// Writes a file with this text; see `addFile(_:bytes:)`.
  public mutating func addFile(_ path: String, text: String) throws(FileError) {
    let utf8 = Array(text.utf8)
    try addFile(path, bytes: unsafe utf8.span.bytes)
  }

  /// Copies the file at `source`; see `addFile(_:bytes:)`.
  public mutating func addFile(_ path: String, copying source: FilePath) throws(FileError) {
    try addFile(path, copying: try MappedFile(source))
  }

  /// Copies a file that is open; see `addFile(_:bytes:)`.
  package mutating func addFile(_ path: String, copying original: MappedFile) throws(FileError) {
    let file = try newFile(path)
    try original.forEachChunk { (bytes) throws(FileError) in
      try file.write(bytes)
      progress?(bytes.byteCount)
    }
    files.append(try file.commit(as: path))
  }

  /// Copies every file of the folder `source`, folders in it too; see `addFile(_:bytes:)`.
  public mutating func addDirectory(_ path: String, copying source: FilePath) throws(FileError) {
    for name in try source.directoryEntries() {
      let entry = source.appending(name)
      if entry.isDirectory {
        try addDirectory("\(path)/\(name)", copying: entry)
      } else {
        try addFile("\(path)/\(name)", copying: entry)
      }
    }
  }

  /// Writes the tree and the manifest and puts the bundle in its place.
  ///
  /// - Parameter description: all that the writer does not know by itself; its `files`, `tree` and
  ///   `packedTensors` are filled in.
  /// - Returns: the manifest as written.
  /// - Throws: `FileError` when it cannot be written.
  @discardableResult
  public consuming func commit(
    _ description: BundleManifest
  ) throws(FileError) -> BundleManifest {
    let contents = BundleManifest.treeContents(of: files)
    let tree = HashedFile(try directory.newFile(FilePath(BundleManifest.Tree.fileName)))
    try tree.write(unsafe contents.span.bytes)
    var manifest = description
    manifest.complete(
      with: files.map(\.file), tree: try tree.commit(as: BundleManifest.Tree.fileName).file,
      packedTensors)
    let file = try directory.newFile(FilePath(BundleManifest.fileName))
    try file.write(manifest.text)
    try file.commit()
    try directory.commit()
    return manifest
  }

  private func newFile(_ path: String) throws(FileError) -> HashedFile {
    precondition(
      PlainPath.isPlain(path) && path != BundleManifest.Tree.fileName
        && !BundleManifest.ownNames.contains(path),
      "Not a path that a bundle can hold")
    precondition(!files.contains { $0.file.path == path }, "File already added")
    return HashedFile(try directory.newFile(FilePath(path)))
  }
}
