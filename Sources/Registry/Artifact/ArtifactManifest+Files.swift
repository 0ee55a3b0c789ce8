import Files
import JSON

/// A file of an artifact, as its layer describes it.
public struct ArtifactEntry: Sendable, Hashable {
  /// The path within the model: plain, relative, with `/` between its parts.
  public let path: String
  public let kind: LayerKind
  public let digest: ContentDigest
  public let byteCount: Int
}

extension ArtifactManifest {
  /// The files of the artifact, in the order of its layers.
  ///
  /// Paths come from whoever pushed the artifact, so every one is checked: they can only become
  /// different files of one folder.
  ///
  /// - Parameter place: where the manifest is from, for messages.
  /// - Throws: `RegistryError` when a layer is no plain file, or the paths are not plain or clash.
  func entries(from place: String) throws(RegistryError) -> [ArtifactEntry] {
    var entries: [ArtifactEntry] = []
    var byteCount = 0
    for layer in layers {
      let path = ModelPack.value(of: ModelPack.filePathKey, in: layer.annotations)
      guard let path = path ?? layer.annotations[OCI.titleKey] else {
        throw RegistryError(
          .malformedManifest, place,
          "layer \(layer.digest) has no file path ('\(ModelPack.filePathKey)')")
      }
      guard let mediaType = LayerMediaType(layer.mediaType), mediaType.packing == .raw else {
        throw RegistryError(
          .unsupportedMediaType, place,
          "the file '\(path.inMessage)' is packed as '\(layer.mediaType.inMessage)', and this version "
            + "reads plain files ('.raw') only. Push the model without archives")
      }
      let (sum, overflow) = byteCount.addingReportingOverflow(layer.byteCount)
      guard !overflow else {
        throw RegistryError(.malformedManifest, place, "the sizes of its layers overflow")
      }
      byteCount = sum
      entries.append(
        ArtifactEntry(
          path: path, kind: mediaType.kind, digest: layer.digest, byteCount: layer.byteCount))
    }
    if let defect = PlainPath.defect(in: entries.map(\.path)) {
      throw RegistryError(.unusableFiles, place, defect.inMessage)
    }
    return entries
  }
}

extension Descriptor {
  /// The layer of a file that is pushed as it is.
  ///
  /// The specification wants the attributes of the file and, so that the same model gives the same
  /// artifact, constants in place of this machine's.
  init(file path: String, kind: LayerKind, digest: ContentDigest, byteCount: Int) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let metadata: JSONValue = [
      "name": .string(name), "mode": 0o644, "uid": 0, "gid": 0, "size": .integer(byteCount),
      "mtime": "1970-01-01T00:00:00Z",
      // The byte by which tar marks a regular file.
      "typeflag": .integer(Int(UInt8(ascii: "0"))),
    ]
    self.init(
      mediaType: LayerMediaType(kind).description, digest: digest, byteCount: byteCount,
      annotations: [
        ModelPack.filePathKey: path,
        ModelPack.fileMetadataKey: metadata.serialized(),
        ModelPack.guessedKindKey: "false",
        OCI.titleKey: path,
      ])
  }
}
