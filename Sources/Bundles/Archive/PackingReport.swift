/// What became of each file of a bundle in its single-file form.
public struct PackingReport: Sendable, Equatable {
  /// How the contents of a file lie in the archive.
  public enum Form: String, Sendable {
    /// As they are: they do not compress.
    case stored
    /// Parts of them as they are, parts compressed.
    case partlyCompressed = "partly compressed"
    case compressed
  }

  public struct File: Sendable, Equatable {
    public let path: String
    public let byteCount: Int
    /// Bytes of the archive that hold the file, its header among them.
    public let packedByteCount: Int
    public let form: Form
  }

  /// The files in the order of the archive, the manifest first.
  public let files: [File]
  /// The size of the archive.
  public let packedByteCount: Int

  /// The size of the files.
  public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

  init(_ layout: ArchiveLayout, _ frames: [ArchiveFrame]) {
    files = layout.entries.map { entry in
      let frames = frames.covering(entry.segment)
      let storedCount = frames.count { $0.isStored }
      return File(
        path: entry.path, byteCount: entry.contents.count,
        packedByteCount: frames.reduce(0) { $0 + $1.place.count },
        form: storedCount == frames.count
          ? .stored : storedCount == 0 ? .compressed : .partlyCompressed)
    }
    packedByteCount = (frames.last?.place.upperBound ?? 0) + SeekTable.byteCount(for: frames.count)
  }
}
