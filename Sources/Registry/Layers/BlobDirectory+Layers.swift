import Files
import SystemPackage

extension BlobDirectory {
  /// Whether an earlier pull has fetched the archive of this layer and unpacked it: the file is here.
  func hasUnpacked(_ layer: LayerFile) -> Bool {
    guard layer.packing != .raw, let digest = layer.digest else { return false }
    let file = path(of: digest)
    return file.isRegularFile && (try? ContentDigest(of: file)) == digest
  }

  /// Unpacks the archive of a layer, which is here, to where a blob with the digest of its file would
  /// be.
  ///
  /// - Returns: that digest.
  /// - Throws: as `LayerArchive.unpack`.
  func unpack(_ layer: LayerFile, from place: String) throws -> ContentDigest {
    let blob = path(of: layer.blob.digest)
    // Where the file belongs is known when it is there.
    let unpacked = path.appending("sha256-\(layer.blob.digest.hexadecimal).unpacked")
    let digest = try LayerArchive(layer, at: blob, from: place).unpack(to: unpacked).digest
    try unpacked.becomeFile(at: path(of: digest), mayReplace: true)
    return digest
  }

  /// Checks that there is space for what is missing of these blobs, and for the files in them.
  func checkSpace(for layers: [LayerFile]) throws(FileError) {
    var seen: Set<ContentDigest> = []
    var byteCount = 0
    for layer in layers where seen.insert(layer.blob.digest).inserted {
      byteCount += max(0, layer.blob.byteCount - (path(of: layer.blob.digest).fileByteCount ?? 0))
      // No sum can overflow: that of all layers was checked with the manifest.
      if layer.packing != .raw { byteCount += layer.byteCount ?? 0 }
    }
    try path.checkSpace(for: byteCount)
  }
}
