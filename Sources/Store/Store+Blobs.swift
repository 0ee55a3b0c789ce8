import Bundles
import Files
public import Registry
public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Store {
  /// Where the blob is or will be.
  func path(of digest: ContentDigest) -> FilePath { blobs.appending(digest.hexadecimal) }

  /// The file with this digest; nil when the store has none.
  ///
  /// Its bytes were checked when it was written.
  public func blob(_ digest: ContentDigest) -> FilePath? {
    let blob = path(of: digest)
    return blob.isRegularFile ? blob : nil
  }

  /// Whether the store has the blob whole; its bytes were checked when it was written.
  func has(_ digest: ContentDigest, byteCount: Int) -> Bool {
    let blob = path(of: digest)
    return blob.isRegularFile && blob.fileByteCount == byteCount
  }

  /// Whether the store has the file.
  ///
  /// - Parameter whole: whether its bytes are hashed once more, for that.
  func has(_ file: StoredFile, whole: Bool) throws -> Bool {
    guard has(file.digest, byteCount: file.byteCount) else { return false }
    return try !whole || ContentDigest(of: path(of: file.digest)) == file.digest
  }

  /// Copies a file into the store, or only checks it when the store has its bytes.
  ///
  /// - Parameters:
  ///   - file: what the bytes have to be.
  ///   - checksPresent: whether a blob that is there is hashed, and replaced when it is damaged.
  /// - Returns: whether the bytes were new.
  /// - Throws: `StoreError` when they are others, or `FileError`.
  func addBlob(
    _ file: StoredFile, copying source: FilePath, checksPresent: Bool, progress: ByteProgress?
  ) throws -> Bool {
    let isNew = try !has(file, whole: checksPresent)
    // What is left of this by a crash has a name that is no digest.
    let copy = isNew ? try NewFile(path(of: file.digest), mayReplace: true) : nil
    var hash = RunningHash()
    try MappedFile(source).forEachChunk { (bytes) throws(FileError) in
      hash.update(bytes)
      try copy?.write(bytes)
      progress?(bytes.byteCount)
    }
    let actual = hash.file(at: file.path)
    guard actual.byteCount == file.byteCount, actual.sha256 == file.digest.hexadecimal else {
      throw StoreError(
        .damaged, "\(source)",
        "was changed or damaged, its SHA-256 is \(actual.sha256), expected "
          + "\(file.digest.hexadecimal)")
    }
    try copy?.commit()
    if isNew { path(of: file.digest).makeReadOnly() }
    return isNew
  }

  /// Moves a file into the store whose bytes are known to be the blob.
  func moveBlob(_ file: StoredFile, from source: FilePath) throws {
    // Another path of the bundle can have moved it already.
    guard source.exists || !has(file.digest, byteCount: file.byteCount) else { return }
    source.makeReadOnly()
    try source.becomeFile(at: path(of: file.digest), mayReplace: true)
    syncDirectory(blobs)
  }
}

extension FilePath {
  /// Keeps programs that open a blob by mistake from changing what other bundles use as well.
  fileprivate func makeReadOnly() { unsafe chmod(string, 0o444) }
}
