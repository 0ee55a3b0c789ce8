import Archives
import Files
import SystemPackage

/// Turns files into layers: as they are, or in archives where those are a good deal smaller.
///
/// Weights stay as they are. They hardly shrink, are most of the bytes, and their digest is what
/// finds them in other artifacts and on disks; the specification advises it, too. The same file gives
/// the same archive with the same version of zstd.
struct LayerPacker {
  /// A tokenizer of some megabytes loses a tenth more at this level than at zstd's own, 3, at 45 MB/s
  /// and more; the highest one takes another seventh off and half a minute for the largest.
  private static let level: Int32 = 9
  /// Less than this is not worth the archive: a layer that is the file itself needs no unpacking, and
  /// is found by its digest, whatever the path and whoever reads.
  private static let smallestSavedPart = 10
  private static let smallestSavedByteCount = 4 << 10

  /// Where archives are until they are pushed.
  private let folder: TemporaryDirectory
  private var archiveCount = 0

  init() throws(FileError) { folder = try TemporaryDirectory() }

  /// - Throws: `FileError` when the file cannot be read, or an archive of it cannot be written.
  mutating func layer(of file: ArtifactFile) throws(FileError) -> PreparedLayer {
    guard let byteCount = file.source.fileByteCount else { throw FileError(.notFound, file.source) }
    if let archive = try archive(of: file, byteCount: byteCount) { return archive }
    let digest = try ContentDigest(of: file.source)
    return PreparedLayer(
      descriptor: Descriptor(
        file: file.path, kind: file.kind, digest: digest, byteCount: byteCount),
      source: file.source, contents: digest, savedByteCount: 0)
  }

  /// Nil when the file is better pushed as it is.
  private mutating func archive(
    of file: ArtifactFile, byteCount: Int
  ) throws(FileError) -> PreparedLayer? {
    let limit = byteCount - max(Self.smallestSavedByteCount, byteCount / Self.smallestSavedPart)
    guard file.kind != .weight, limit > 0 else { return nil }
    let contents = try MappedFile(file.source)
    guard contents.byteCount == byteCount, FrameEncoder.isWorthTrying(contents.bytes) else {
      return nil
    }
    archiveCount += 1
    let name = FilePath("layer-\(archiveCount)")
    let output = DigestedFile(try folder.newFile(name))
    let tar = try TarStream(of: contents, as: file.path, to: output, level: Self.level)
    // A file that is dropped here is removed.
    guard output.byteCount <= limit else { return nil }
    try output.commit(isDurable: false)
    return PreparedLayer(
      descriptor: Descriptor(
        file: file.path, kind: file.kind, (tar.fileDigest, byteCount),
        in: (output.digest, output.byteCount)),
      source: folder.path.pushing(name), contents: tar.digest,
      savedByteCount: byteCount - output.byteCount)
  }
}
