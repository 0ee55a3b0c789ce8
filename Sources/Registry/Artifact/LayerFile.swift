import JSON

/// A file of an artifact, as its layer describes it before anything of it is here.
struct LayerFile: Sendable, Hashable {
  /// The path within the model: plain, relative, with `/` between its parts.
  let path: String
  let kind: LayerKind
  let packing: LayerMediaType.Packing
  /// What is fetched: the file itself, or the archive that it is in.
  let blob: Descriptor
  /// Of the file; nil when it is in an archive and the layer does not say.
  let digest: ContentDigest?
  /// Of the file; nil when it is in an archive and the layer does not say.
  let byteCount: Int?
}

extension LayerFile {
  /// Reads what a layer says about its file; the path is not checked.
  ///
  /// - Parameter place: where the manifest is from, for messages.
  /// - Throws: `RegistryError` when it does not say enough, contradicts itself, or the file is packed
  ///   in a way that is not read.
  init(_ layer: Descriptor, from place: String) throws(RegistryError) {
    let named = ModelPack.value(of: ModelPack.filePathKey, in: layer.annotations)
    guard let path = named ?? layer.annotations[OCI.titleKey] else {
      throw RegistryError(
        .malformedManifest, place,
        "layer \(layer.digest) has no file path ('\(ModelPack.filePathKey)')")
    }
    guard let mediaType = LayerMediaType(layer.mediaType), mediaType.packing != .tarGzip else {
      throw RegistryError(
        .unsupportedMediaType, place,
        "the file '\(path.inMessage)' is packed as '\(layer.mediaType.inMessage)', and this version "
          + "reads plain files ('.raw') and archives of one file ('.tar', '.tar+zstd'). Push the "
          + "model in one of these ways")
    }
    self.path = path
    kind = mediaType.kind
    packing = mediaType.packing
    blob = layer
    if packing == .raw {
      digest = layer.digest
      byteCount = layer.byteCount
    } else {
      do {
        digest = try layer.annotations[ModelPack.fileDigestKey].map { try ContentDigest($0) }
        byteCount = try layer.statedFileByteCount()
      } catch {
        throw RegistryError(.malformedManifest, place, "layer of '\(path)': \(error)".inMessage)
      }
    }
  }
}

extension Descriptor {
  /// The size of the file that the layer holds, by its metadata; nil when that does not say.
  fileprivate func statedFileByteCount() throws -> Int? {
    guard let text = ModelPack.value(of: ModelPack.fileMetadataKey, in: annotations) else {
      return nil
    }
    let metadata = try JSONFields(
      JSONValue(parsing: Array(text.utf8).span), subject: "metadata of the file")
    guard let byteCount = try metadata.optional("size", as: Int.self) else { return nil }
    guard byteCount >= 0 else {
      throw JSONFieldError("metadata of the file: 'size' is \(byteCount), expected 0 or more")
    }
    return byteCount
  }
}
