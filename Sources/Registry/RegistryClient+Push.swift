import Files
public import SystemPackage

/// A file that is to become a layer of an artifact.
public struct ArtifactFile: Sendable, Hashable {
  /// The path within the model: plain, relative, with `/` between its parts.
  public let path: String
  /// Where the bytes are.
  public let source: FilePath
  public let kind: LayerKind

  public init(path: String, source: FilePath, kind: LayerKind) {
    self.path = path
    self.source = source
    self.kind = kind
  }
}

/// An artifact that is in a registry now.
public struct PushedArtifact: Sendable, Hashable {
  public let manifest: ArtifactManifest
  public let digest: ContentDigest
  /// The bytes of layers that had to be sent; the registry had the others.
  public let sentByteCount: Int
  /// The bytes that the files in these layers have more, which were compressed away.
  public let savedByteCount: Int
}

extension RegistryClient {
  /// Pushes files as one artifact: a layer for each, in their order, then configuration and manifest.
  ///
  /// Files that are no weights and shrink by a tenth and 4 KiB are sent as `tar` in zstd, from a copy
  /// in the folder for temporary files.
  ///
  /// Blobs that the repository has are not sent again, so a push that broke off is simply repeated.
  /// The tag appears with the last request, when everything it needs is there. The same files,
  /// configuration and annotations always give the same artifact with the same version of zstd.
  ///
  /// - Parameters:
  ///   - annotations: of the manifest.
  ///   - reference: a tag, or the digest that the artifact has to have.
  /// - Throws: `RegistryError` or `FileError`; nothing is sent when the files cannot be an artifact.
  public func push(
    _ files: [ArtifactFile], configuration: ModelPackConfiguration,
    annotations: [String: String] = [:], to reference: RegistryReference,
    progress: TransferProgress? = nil
  ) async throws -> PushedArtifact {
    if let defect = PlainPath.defect(in: files.map(\.path)) {
      throw RegistryError(.unusableFiles, reference.description, defect.inMessage)
    }
    guard !files.isEmpty else {
      throw RegistryError(.unusableFiles, reference.description, "is to be pushed without any file")
    }
    var packer = try LayerPacker()
    var layers: [PreparedLayer] = []
    for file in files {
      layers.append(try packer.layer(of: file))
      try Task.checkCancellation()
    }
    let text = Array(configuration.text(contents: layers.map(\.contents)).utf8)
    let manifest = ArtifactManifest(
      configuration: Descriptor(
        mediaType: ModelPack.configurationMediaType, digest: ContentDigest(of: text),
        byteCount: text.count),
      layers: layers.map(\.descriptor), annotations: annotations)
    try manifest.check(for: reference)

    progress?(.started(byteCount: layers.reduce(0) { $0 + $1.descriptor.byteCount }))
    var (sentByteCount, savedByteCount) = (0, 0)
    var present: Set<ContentDigest> = []
    for layer in layers {
      let blob = layer.descriptor
      guard present.insert(blob.digest).inserted else {
        progress?(.skipped(blob.digest, byteCount: blob.byteCount))
        continue
      }
      if try await pushBlob(blob, at: layer.source, to: reference, progress: progress) {
        sentByteCount += blob.byteCount
        savedByteCount += layer.savedByteCount
      }
    }
    withExtendedLifetime(packer) {}
    try await push(text, as: manifest.configuration, to: reference)
    try await pushManifest(manifest, to: reference, progress: progress)
    return PushedArtifact(
      manifest: manifest, digest: manifest.digest, sentByteCount: sentByteCount,
      savedByteCount: savedByteCount)
  }

  /// Pushes a configuration, which is no file yet and no part of the sizes that are reported.
  private func push(
    _ text: [UInt8], as blob: Descriptor, to reference: RegistryReference
  ) async throws {
    let folder = try TemporaryDirectory()
    let file = try folder.newFile("config.json")
    try unsafe file.write(text.span.bytes)
    try file.commit(isDurable: false)
    try await pushBlob(blob, at: folder.path.appending("config.json"), to: reference)
  }
}

extension ArtifactManifest {
  /// Checks that registries can take the manifest, and that it is the one a digest asks for.
  fileprivate func check(for reference: RegistryReference) throws(RegistryError) {
    guard text.utf8.count <= Self.maximumByteCount else {
      throw RegistryError(
        .tooLarge, reference.description,
        "would have a manifest of \(text.utf8.count) bytes, registries take "
          + "\(Self.maximumByteCount). Push fewer files")
    }
    if case .digest(let asked) = reference.version, asked != digest {
      throw RegistryError(
        .digestMismatch, reference.description, "the files make another artifact, \(digest)")
    }
  }
}
