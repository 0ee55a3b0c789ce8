import Files
import Registry
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is in a store and no name reaches.
public struct StoreWaste: Sendable, Hashable {
  public var blobCount = 0
  public var blobByteCount = 0
  /// Downloads that broke off, and what processes left that ended in the middle.
  public var partialCount = 0
  public var partialByteCount = 0

  public var byteCount: Int { blobByteCount + partialByteCount }

  public init() {}
}

extension Store {
  /// Takes a name out of the store; its files stay until the next collection.
  ///
  /// - Returns: the bytes that no other name needs; nil when what the name stood for cannot be told.
  /// - Throws: `StoreError` when the store has nothing under the name, or `FileError`.
  @discardableResult
  public func remove(_ name: StoreName) throws -> Int? {
    // Looked for first, so that nothing is made where no store is.
    guard contains(name) else { _ = try record(name); return nil }
    return try locked {
      let place = recordPath(name)
      // A record that is damaged has to go, too.
      let record = try? record(name)
      guard unsafe unlink(place.string) == 0 else {
        throw FileError(writing: place, Errno(rawValue: errno))
      }
      var folder = place.removingLastComponent()
      while folder != names, unsafe rmdir(folder.string) == 0 { folder.removeLastComponent() }
      guard let record, let others = try? records() else { return nil }
      let needed = Set(others.flatMap(\.files).map(\.digest))
      return record.files.distinctByteCount { !needed.contains($0) }
    }
  }

  /// Removes every file that no name reaches, and downloads that broke off over a day ago.
  ///
  /// What a running pull needs stays, and so does what programs have mapped, until they end.
  ///
  /// - Parameter isDry: whether everything stays and is only counted.
  /// - Throws: `StoreError` when a record cannot be read, so that what it needs is not known; nothing
  ///   is removed then.
  @discardableResult
  public func collect(isDry: Bool = false) throws -> StoreWaste {
    guard path.exists else { return StoreWaste() }
    return try locked {
      let records = try records()
      let inUse = try digestsOfRunningPull()
      let needed = Set(records.flatMap(\.files).map(\.digest.hexadecimal)).union(inUse ?? [])
      let directories = Set(records.map(\.directoryName))
      var waste = StoreWaste()
      func discard(_ path: FilePath) { if !isDry { removeTree(path) } }

      for name in try bundles.directoryEntries() where !directories.contains(name) {
        discard(bundles.appending(name))
      }
      for name in try blobs.directoryEntries() where !needed.contains(name) {
        let blob = blobs.appending(name)
        let byteCount = blob.fileByteCount ?? 0
        if (try? ContentDigest("sha256:\(name)")) != nil {
          waste.blobCount += 1
          waste.blobByteCount += byteCount
        } else {
          waste.partialCount += 1
          waste.partialByteCount += byteCount
        }
        discard(blob)
      }
      for name in try partial.directoryEntries() where inUse == nil {
        let file = partial.appending(name)
        guard file.isOlder(than: .seconds(24 * 60 * 60)) else { continue }
        waste.partialCount += 1
        waste.partialByteCount += file.treeByteCount
        discard(file)
      }
      return waste
    }
  }

  /// What the process that is pulling needs; nil when there is none.
  private func digestsOfRunningPull() throws -> Set<String>? {
    guard try StoreLock(pullLockPath, waits: false) == nil else { return nil }
    let file = try MappedFile(pullLockPath)
    let bytes = Span<UInt8>(_bytes: file.bytes)
    let text = String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    return Set(text.split(separator: "\n").map(String.init))
  }
}

extension [StoredFile] {
  /// The bytes of the different files among these that pass.
  func distinctByteCount(_ isCounted: (ContentDigest) -> Bool) -> Int {
    var seen: Set<ContentDigest> = []
    return reduce(0) { sum, file in
      isCounted(file.digest) && seen.insert(file.digest).inserted ? sum + file.byteCount : sum
    }
  }
}

extension FilePath {
  /// Whether what is here was last written so long ago.
  fileprivate func isOlder(than age: Duration) -> Bool {
    guard let status = try? stat(followTargetSymlink: false) else { return false }
    return time(nil) - status.st_mtim.tv_sec > age.components.seconds
  }
}
