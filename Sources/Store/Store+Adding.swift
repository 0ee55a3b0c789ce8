import Bundles
public import Files
import Registry
public import SystemPackage

/// What became of a bundle that was put into a store.
public struct StoredBundle: Sendable, Hashable {
  public let record: StoreRecord
  /// The bytes that the store did not have before.
  public let newByteCount: Int
  /// The bytes that a registry sent for that, which can be fewer; none when it was no pull.
  public var fetchedByteCount = 0
  /// Whether the name stood for other files before.
  public let replaced: Bool

  /// The bytes that were in the store already.
  public var sharedByteCount: Int { record.byteCount - newByteCount }
}

extension Store {
  /// Copies a bundle into the store, as far as its files are not there, and gives it a short name.
  ///
  /// Every byte is checked against the manifest. The name appears when everything is in its place.
  ///
  /// - Parameters:
  ///   - bundle: a bundle directory or a single file.
  ///   - mayReplace: whether the name may be taken from what it stands for.
  ///   - checksPresent: whether files that are in the store are hashed, and replaced when they are
  ///     damaged.
  ///   - workerCount: the threads that decompress a single file.
  ///   - progress: told of the bytes read.
  /// - Throws: `StoreError`, `BundleError` or `FileError`; the name is then as it was.
  @discardableResult
  public func add(
    _ bundle: FilePath, as name: StoreName, mayReplace: Bool = false, checksPresent: Bool = false,
    workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws -> StoredBundle {
    guard name.reference == nil else {
      throw StoreError(
        .malformedName, "\(name)",
        "names a registry, which only a pull can vouch for. Give a name without one")
    }
    try checkFree(name, mayReplace)
    guard bundle.isRegularFile else {
      return try add(BundleFiles(bundle), as: name, mayReplace, checksPresent) { file, source in
        try addBlob(file, copying: source, checksPresent: checksPresent, progress: progress)
      }
    }
    // Unpacked in the store, whose device has to hold the files anyway.
    try partial.makeFolder()
    let unpacked = partial.appending("unpacked-\(UInt64.random(in: 0...UInt64.max))")
    PendingOutputs.insert(unpacked)
    defer {
      removeTree(unpacked)
      PendingOutputs.remove(unpacked)
    }
    try Bundle.unpack(bundle, to: unpacked, workerCount: workerCount, progress: progress)
    return try add(BundleFiles(unpacked), as: name, mayReplace, checksPresent) { file, source in
      if try has(file, whole: checksPresent) { return false }
      try moveBlob(file, from: source)
      return true
    }
  }

  /// - Parameter addBlob: brings a file's bytes into the store, and says whether they were new.
  private func add(
    _ bundle: BundleFiles, as name: StoreName, _ mayReplace: Bool, _ checksPresent: Bool,
    _ addBlob: (StoredFile, FilePath) throws -> Bool
  ) throws -> StoredBundle {
    let record = StoreRecord(name: name, files: bundle.files)
    return try locked {
      // Once more, since another process may have taken it meanwhile.
      let old = try checkFree(name, mayReplace)
      var newByteCount = 0
      for file in bundle.files {
        let source = bundle.directory.pushing(FilePath(file.path))
        if try addBlob(file, source) { newByteCount += file.byteCount }
      }
      try makeDirectory(of: record)
      try write(record, as: name)
      // A blob that was replaced is another file, to which the links of others do not lead.
      if checksPresent { try renewDirectories() }
      return StoredBundle(
        record: record, newByteCount: newByteCount,
        replaced: old.map { $0.files != record.files } ?? false)
    }
  }

  /// - Returns: what the name stands for, when it may be taken from that and can be told.
  @discardableResult
  private func checkFree(_ name: StoreName, _ mayReplace: Bool) throws -> StoreRecord? {
    if mayReplace { return try? recordIfAny(name) }
    guard try recordIfAny(name) == nil else {
      throw StoreError(
        .exists, "\(name)", "the store has this name already. Choose another or pass --overwrite")
    }
    return nil
  }
}
