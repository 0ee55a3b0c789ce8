import SystemPackage

/// A file that is ready to be pushed: its layer, and where the bytes of that are.
struct PreparedLayer: Sendable {
  let descriptor: Descriptor
  let source: FilePath
  /// The digest of the layer's contents before compression.
  let contents: ContentDigest
  /// The bytes that the file has more than the layer.
  let savedByteCount: Int
}
