import Files
import JSON

/// A file of an artifact.
public struct ArtifactEntry: Sendable, Hashable {
  /// The path within the model: plain, relative, with `/` between its parts.
  public let path: String
  public let kind: LayerKind
  /// Of the file, also when its layer is an archive.
  public let digest: ContentDigest
  public let byteCount: Int
}

extension ArtifactManifest {
  /// The digests of the files, as far as their layers say them before they are fetched.
  public var fileDigests: [ContentDigest] {
    layers.compactMap { (try? LayerFile($0, from: ""))?.digest }
  }

  /// The files of the artifact, in the order of its layers.
  ///
  /// Paths come from whoever pushed the artifact, so every one is checked: they can only become
  /// different files of one folder.
  ///
  /// - Parameter place: where the manifest is from, for messages.
  /// - Throws: `RegistryError` when a layer is not one that can be read, or the paths are not plain or
  ///   clash.
  func files(from place: String) throws(RegistryError) -> [LayerFile] {
    var files: [LayerFile] = []
    var byteCount = 0
    for layer in layers {
      let file = try LayerFile(layer, from: place)
      for part in file.packing == .raw ? [layer.byteCount] : [layer.byteCount, file.byteCount ?? 0]
      {
        let (sum, overflow) = byteCount.addingReportingOverflow(part)
        guard !overflow else {
          throw RegistryError(.malformedManifest, place, "the sizes of its layers overflow")
        }
        byteCount = sum
      }
      files.append(file)
    }
    if let defect = PlainPath.defect(in: files.map(\.path)) {
      throw RegistryError(.unusableFiles, place, defect.inMessage)
    }
    return files
  }
}
