public import Bundles
import Files
public import Registry
import SystemPackage

extension Store {
  /// Fetches what a reference names, as far as its files are not in the store, under that name.
  ///
  /// A pull that breaks off goes on with the next one. One process at a time pulls into a store;
  /// another one waits for it.
  ///
  /// - Parameters:
  ///   - keys: one of them has to have signed the bundle; none to ask for no signature.
  ///   - checksPresent: whether files that are in the store are hashed, and fetched again when they
  ///     are damaged.
  ///   - waiting: called when another process is pulling.
  /// - Throws: `RegistryError`, `StoreError`, `BundleError` or `FileError`; the name is then as it was.
  public func pull(
    _ reference: RegistryReference, with client: RegistryClient,
    requiring keys: [VerifyingKey] = [], checksPresent: Bool = false,
    progress: TransferProgress? = nil, waiting: () -> Void = {}
  ) async throws -> StoredBundle {
    for folder in [path, partial] { try folder.makeFolder() }
    let lock = try await pullLock(waiting)
    let (manifest, digest) = try await client.fetchManifest(reference, progress: progress)
    // From here on nothing that the pull counts on is collected.
    let used = manifest.fileDigests
    try locked { try lock.write(used.map { "\($0.hexadecimal)\n" }.joined()) }
    let folder = try BlobDirectory(partial)
    let artifact = try await client.pull(
      reference.pinned(to: digest), into: folder,
      have: { digest in
        let blob = path(of: digest)
        guard checksPresent else { return blob }
        return (try? ContentDigest(of: blob)) == digest ? blob : nil
      }, progress: progress)
    let stored = try locked {
      try install(artifact, as: StoreName(reference), requiring: keys, checksPresent)
    }
    artifact.removeSpent()
    try lock.write("")
    return stored
  }

  /// Moves what was fetched into the store, and gives it its name.
  func install(
    _ artifact: PulledArtifact, as name: StoreName, requiring keys: [VerifyingKey] = [],
    _ repairs: Bool
  ) throws -> StoredBundle {
    let record = StoreRecord(name: name, artifact)
    let old = try? recordIfAny(name)
    var new: Set<ContentDigest> = []
    var newByteCount = 0
    for file in artifact.files {
      guard case .fetched(let source) = file.source, new.insert(file.entry.digest).inserted else {
        continue
      }
      // The store can have what an archive turned out to hold, and links to it.
      if !repairs, has(file.entry.digest, byteCount: file.entry.byteCount) {
        removeTree(source)
        continue
      }
      try moveBlob(StoredFile(file.entry), from: source)
      newByteCount += file.entry.byteCount
    }
    // Two layers can have one digest, and only one of them the size that goes with it.
    for file in record.files where !has(file.digest, byteCount: file.byteCount) {
      throw StoreError(
        .notABundle, name.description,
        "its file '\(file.path)' has \(file.byteCount) bytes by the manifest and not by its digest")
    }
    try makeDirectory(of: record) { directory in
      try record.checkAgreement(in: directory, from: name.description, requiring: keys)
    }
    try write(record, as: name)
    // A blob that was fetched again is another file, to which the links of others do not lead.
    if repairs { try renewDirectories() }
    return StoredBundle(
      record: record, newByteCount: newByteCount, fetchedByteCount: artifact.fetchedByteCount,
      replaced: old.map { $0.files != record.files } ?? false)
  }

  /// Where the lock of the process that pulls is, with the digests that it needs.
  var pullLockPath: FilePath { path.appending("pull.lock") }

  private func pullLock(_ waiting: () -> Void) async throws -> StoreLock {
    if let lock = try StoreLock(pullLockPath, waits: false) { return lock }
    waiting()
    while true {
      try await Task.sleep(for: .milliseconds(200))
      if let lock = try StoreLock(pullLockPath, waits: false) { return lock }
    }
  }
}

extension StoreRecord {
  fileprivate init(name: StoreName, _ artifact: PulledArtifact) {
    self.init(
      name: name, files: artifact.files.map { StoredFile($0.entry) }, artifact: artifact.digest)
  }
}

extension StoredFile {
  fileprivate init(_ entry: ArtifactEntry) {
    self.init(path: entry.path, digest: entry.digest, byteCount: entry.byteCount)
  }
}
