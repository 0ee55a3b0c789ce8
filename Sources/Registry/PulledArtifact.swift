public import Files
public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An artifact whose blobs are on this machine.
public struct PulledArtifact: Sendable {
  public let manifest: ArtifactManifest
  public let digest: ContentDigest
  public let configuration: ModelPackConfiguration
  /// In the order of the layers.
  public let files: [PulledFile]
  /// The bytes of the layers that came from the registry, in this pull or an earlier one.
  public let fetchedByteCount: Int
  /// What was fetched and is no file: the configuration, and archives whose files are beside them.
  let spent: [FilePath]

  init(
    manifest: ArtifactManifest, digest: ContentDigest, configuration: ModelPackConfiguration,
    files: [PulledFile], fetchedByteCount: Int = 0, spent: [FilePath] = []
  ) {
    self.manifest = manifest
    self.digest = digest
    self.configuration = configuration
    self.files = files
    self.fetchedByteCount = fetchedByteCount
    self.spent = spent
  }
}

/// A file of a pulled artifact and where its bytes are.
public struct PulledFile: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    /// Fetched and checked just now; the file may be moved away.
    case fetched(FilePath)
    /// A file of the caller's, which stays as it is.
    case own(FilePath)
  }

  public let entry: ArtifactEntry
  public let source: Source
}

extension PulledArtifact {
  /// Removes what was fetched and is needed no more once the files are in their places.
  public func removeSpent() {
    for path in spent { removeTree(path) }
  }

  /// Gives every file its place in a new directory.
  ///
  /// What was fetched is moved when only one file needs it and the directory is on the same device,
  /// and copied otherwise. A copy is hashed as it is made.
  ///
  /// - Throws: `FileError`, or `RegistryError` when a file that was there already is another one.
  public func place(in directory: NewDirectory) throws {
    var uses: [ContentDigest: Int] = [:]
    for file in files { uses[file.entry.digest, default: 0] += 1 }
    for file in files {
      uses[file.entry.digest, default: 1] -= 1
      let path = FilePath(file.entry.path)
      switch file.source {
      case .fetched(let blob):
        if uses[file.entry.digest] == 0, try move(blob, to: path, in: directory) { continue }
        try copy(file.entry, from: blob, to: path, in: directory)
      case .own(let source): try copy(file.entry, from: source, to: path, in: directory)
      }
    }
  }

  /// Whether the file could be moved; it cannot be from another device.
  private func move(
    _ blob: FilePath, to path: FilePath, in directory: NewDirectory
  ) throws(FileError) -> Bool {
    let folder = try directory.makeSubdirectory(path.removingLastComponent())
    let target = path.lastComponent.map { folder.appending($0) } ?? folder
    // On a file system that ignores case, two paths can be one file.
    guard !target.exists else { throw FileError(.exists, directory.path.pushing(path)) }
    if unsafe rename(blob.string, target.string) == 0 { return true }
    guard errno == EXDEV else {
      throw FileError(writing: directory.path.pushing(path), Errno(rawValue: errno))
    }
    return false
  }

  private func copy(
    _ entry: ArtifactEntry, from source: FilePath, to path: FilePath, in directory: NewDirectory
  ) throws {
    let target = DigestedFile(try directory.newFile(path))
    try MappedFile(source).forEachPiece { (bytes) throws(FileError) in try target.write(bytes) }
    guard target.digest == entry.digest else {
      throw RegistryError(
        .digestMismatch, source.string,
        "has the digest \(target.digest), '\(entry.path.inMessage)' needs \(entry.digest)")
    }
    try target.commit()
  }
}
