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
  /// The bytes of files that had to be sent; the registry had the others.
  public let sentByteCount: Int
}

extension RegistryClient {
  /// Pushes files as one artifact: a layer for each, in their order, then configuration and manifest.
  ///
  /// Blobs that the repository has are not sent again, so a push that broke off is simply repeated.
  /// The tag appears with the last request, when everything it needs is there. The same files,
  /// configuration and annotations always give the same artifact.
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
    var layers: [Descriptor] = []
    for file in files {
      let digest = try ContentDigest(of: file.source)
      guard let byteCount = file.source.fileByteCount else {
        throw FileError(.notFound, file.source)
      }
      layers.append(
        Descriptor(file: file.path, kind: file.kind, digest: digest, byteCount: byteCount))
      try Task.checkCancellation()
    }
    let text = Array(configuration.text(contents: layers.map(\.digest)).utf8)
    let manifest = ArtifactManifest(
      configuration: Descriptor(
        mediaType: ModelPack.configurationMediaType, digest: ContentDigest(of: text),
        byteCount: text.count),
      layers: layers, annotations: annotations)
    try manifest.check(for: reference)

    progress?(.started(byteCount: layers.reduce(0) { $0 + $1.byteCount }))
    var sentByteCount = 0
    var present: Set<ContentDigest> = []
    for (file, layer) in zip(files, layers) {
      guard present.insert(layer.digest).inserted else {
        progress?(.skipped(layer.digest, byteCount: layer.byteCount))
        continue
      }
      if try await pushBlob(layer, at: file.source, to: reference, progress: progress) {
        sentByteCount += layer.byteCount
      }
    }
    try await push(text, as: manifest.configuration, to: reference)
    try await pushManifest(manifest, to: reference, progress: progress)
    return PushedArtifact(
      manifest: manifest, digest: manifest.digest, sentByteCount: sentByteCount)
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
