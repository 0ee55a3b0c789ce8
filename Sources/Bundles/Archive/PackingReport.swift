import Archives

/// What became of each file of a bundle in its single-file form.
public struct PackingReport: Sendable, Equatable {
  /// How the contents of a file lie in the archive, but for up to a sixteenth of them.
  public enum Form: String, Sendable {
    /// As they are: they do not compress.
    case stored
    /// Parts of them as they are, parts compressed.
    case partlyCompressed = "partly compressed"
    case compressed

    init(storedByteCount: Int, of byteCount: Int) {
      let rest = byteCount / 16
      self =
        storedByteCount >= byteCount - rest
        ? .stored : storedByteCount <= rest ? .compressed : .partlyCompressed
    }
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
      let stored = frames.filter(\.isStored).reduce(0) { $0 + $1.contents.count }
      return File(
        path: entry.path, byteCount: entry.contents.count,
        packedByteCount: frames.reduce(0) { $0 + $1.place.count },
        form: Form(storedByteCount: stored, of: entry.segment.count))
    }
    packedByteCount = (frames.last?.place.upperBound ?? 0) + SeekTable.byteCount(for: frames.count)
  }
}
