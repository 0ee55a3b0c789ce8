import Files
public import SystemPackage

extension RegistryClient {
  /// Fetches an artifact: what it is, and a file on disk for each of its blobs.
  ///
  /// Everything is bounded by the sizes in the manifest and checked against its digest. Nothing is
  /// put where it will be used; `PulledArtifact.place(in:)` does that.
  ///
  /// - Parameters:
  ///   - blobs: where blobs are fetched to. When a pull breaks off, the next one with the same folder
  ///     goes on from there.
  ///   - have: a file that holds the blob with this digest already, if there is one; it is hashed when
  ///     it is placed.
  /// - Throws: `RegistryError` or `FileError`.
  public func pull(
    _ reference: RegistryReference, into blobs: BlobDirectory,
    have: @Sendable (ContentDigest) -> FilePath? = { _ in nil },
    progress: TransferProgress? = nil
  ) async throws -> PulledArtifact {
    let (manifest, digest) = try await fetchManifest(reference, progress: progress)
    let entries = try manifest.entries(from: reference.description)
    let configuration = try await fetchConfiguration(manifest, from: reference, into: blobs)

    var sources: [ContentDigest: PulledFile.Source] = [:]
    for entry in entries where sources[entry.digest] == nil {
      if let own = have(entry.digest), own.fileByteCount == entry.byteCount {
        sources[entry.digest] = .own(own)
      }
    }
    let missing = entries.filter { sources[$0.digest] == nil }
    try blobs.checkSpace(for: missing)
    progress?(.started(byteCount: entries.reduce(0) { $0 + $1.byteCount }))
    for (entry, layer) in zip(entries, manifest.layers) {
      guard sources[entry.digest] == nil else {
        progress?(.skipped(entry.digest, byteCount: entry.byteCount))
        continue
      }
      try await fetchBlob(layer, from: reference, into: blobs, progress: progress)
      sources[entry.digest] = .fetched(blobs.path(of: entry.digest))
    }
    let files = entries.compactMap { entry in
      sources[entry.digest].map { PulledFile(entry: entry, source: $0) }
    }
    return PulledArtifact(
      manifest: manifest, digest: digest, configuration: configuration, files: files)
  }

  private func fetchConfiguration(
    _ manifest: ArtifactManifest, from reference: RegistryReference, into blobs: BlobDirectory
  ) async throws -> ModelPackConfiguration {
    let blob = manifest.configuration
    guard blob.byteCount <= ArtifactManifest.maximumByteCount else {
      throw RegistryError(
        .tooLarge, reference.description,
        "has a configuration of \(blob.byteCount) bytes, the limit is "
          + "\(ArtifactManifest.maximumByteCount)")
    }
    try await fetchBlob(blob, from: reference, into: blobs)
    let file = try MappedFile(blobs.path(of: blob.digest))
    let bytes = Span<UInt8>(_bytes: file.bytes)
    return try ModelPackConfiguration(
      parsing: bytes.indices.map { bytes[$0] }, from: reference.description)
  }
}

extension BlobDirectory {
  /// Checks that what is missing of these blobs fits.
  fileprivate func checkSpace(for entries: [ArtifactEntry]) throws(FileError) {
    var seen: Set<ContentDigest> = []
    var byteCount = 0
    for entry in entries where seen.insert(entry.digest).inserted {
      byteCount += max(0, entry.byteCount - (path(of: entry.digest).fileByteCount ?? 0))
    }
    try path.checkSpace(for: byteCount)
  }
}
