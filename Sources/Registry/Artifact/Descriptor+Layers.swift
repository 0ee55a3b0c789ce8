import JSON

extension Descriptor {
  /// The layer of a file that is pushed as it is.
  init(file path: String, kind: LayerKind, digest: ContentDigest, byteCount: Int) {
    self.init(
      mediaType: LayerMediaType(kind).description, digest: digest, byteCount: byteCount,
      annotations: Self.annotations(of: path, byteCount: byteCount))
    annotations[OCI.titleKey] = path
  }

  /// The layer of a file that is pushed in an archive, `tar` in zstd.
  ///
  /// - Parameters:
  ///   - file: the digest and size of the file itself.
  ///   - archive: those of the archive, which is the blob.
  init(
    file path: String, kind: LayerKind, _ file: (digest: ContentDigest, byteCount: Int),
    in archive: (digest: ContentDigest, byteCount: Int)
  ) {
    self.init(
      mediaType: LayerMediaType(kind, .tarZstd).description, digest: archive.digest,
      byteCount: archive.byteCount,
      annotations: Self.annotations(of: path, byteCount: file.byteCount))
    annotations[ModelPack.fileDigestKey] = file.digest.description
    // Tools that know nothing of the specification write the blob under this name.
    annotations[OCI.titleKey] = "\(path).tar.zst"
  }

  /// What the specification wants: the attributes of the file and, so that the same model gives the
  /// same artifact, constants in place of this machine's.
  private static func annotations(of path: String, byteCount: Int) -> [String: String] {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let metadata: JSONValue = [
      "name": .string(name), "mode": 0o644, "uid": 0, "gid": 0, "size": .integer(byteCount),
      "mtime": "1970-01-01T00:00:00Z",
      // The byte by which tar marks a regular file.
      "typeflag": .integer(Int(UInt8(ascii: "0"))),
    ]
    return [
      ModelPack.filePathKey: path,
      ModelPack.fileMetadataKey: metadata.serialized(),
      ModelPack.guessedKindKey: "false",
    ]
  }
}
