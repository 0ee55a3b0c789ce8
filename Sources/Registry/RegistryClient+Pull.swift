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
    let layers = try manifest.files(from: reference.description)
    let configuration = try await fetchConfiguration(manifest, from: reference, into: blobs)
    var spent = [blobs.path(of: manifest.configuration.digest)]

    // By the digest of the file.
    var sources: [ContentDigest: PulledFile.Source] = [:]
    for layer in layers {
      guard let digest = layer.digest, sources[digest] == nil else { continue }
      if let own = have(digest), let byteCount = layer.byteCount, own.fileByteCount == byteCount {
        sources[digest] = .own(own)
      } else if blobs.hasUnpacked(layer) {
        sources[digest] = .fetched(blobs.path(of: digest))
      }
    }
    let missing = layers.filter { layer in layer.digest.flatMap { sources[$0] } == nil }
    try blobs.checkSpace(for: missing)
    progress?(.started(byteCount: layers.reduce(0) { $0 + $1.blob.byteCount }))
    var files: [PulledFile] = []
    var fetchedByteCount = 0
    for layer in layers {
      if let digest = layer.digest, let source = sources[digest] {
        progress?(.skipped(layer.blob.digest, byteCount: layer.blob.byteCount))
        try files.append(PulledFile(layer, digest, source))
        continue
      }
      fetchedByteCount += try await fetchBlob(
        layer.blob, from: reference, into: blobs, progress: progress)
      var digest = layer.blob.digest
      if layer.packing != .raw {
        spent.append(blobs.path(of: digest))
        digest = try blobs.unpack(layer, from: reference.place)
      }
      let source = PulledFile.Source.fetched(blobs.path(of: digest))
      sources[digest] = source
      try files.append(PulledFile(layer, digest, source))
    }
    return PulledArtifact(
      manifest: manifest, digest: digest, configuration: configuration, files: files,
      fetchedByteCount: fetchedByteCount, spent: spent)
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

extension PulledFile {
  /// - Throws: `FileError` when the size of a file from an archive cannot be told.
  fileprivate init(
    _ layer: LayerFile, _ digest: ContentDigest, _ source: Source
  ) throws(FileError) {
    let path =
      switch source {
      case .fetched(let path), .own(let path): path
      }
    guard let byteCount = layer.byteCount ?? path.fileByteCount else {
      throw FileError(.notFound, path)
    }
    self.init(
      entry: ArtifactEntry(
        path: layer.path, kind: layer.kind, digest: digest, byteCount: byteCount),
      source: source)
  }
}
