import Bundles
import Files
import Kernels
import Synchronization

/// A bundle in one file in the making, which goes on behind the whole frames that an earlier run wrote.
final class PartialArchive {
  private let layout: ArchiveLayout
  private let writer: SharedWriter
  /// What of the tar stream is there from an earlier run.
  private let earlier: FramedContents
  private var entry = 0

  /// - Throws: `FileError` when the file can be neither read nor written.
  init(_ layout: ArchiveLayout, in file: PartialFile) throws {
    self.layout = layout
    // A file notes how far it is between frames, so what was kept of it are whole ones.
    earlier = FramedContents(interrupted: try MappedFile(file.path), layout: layout)
    writer = SharedWriter(
      try ArchiveWriter(
        layout, to: file, after: earlier.frames, workerCount: ThreadPool.coreCount))
  }

  /// The next file of the layout, with what is there of it.
  ///
  /// - Throws: when what is there cannot be read.
  func nextFile() throws -> ArchivedFile {
    entry += 1
    let place = layout.entries[entry].contents
    let done = place.clamped(to: 0..<max(earlier.byteCount, 0))
    var hash = RunningHash(pieceByteCount: BundleManifest.Tree.standardPieceByteCount)
    if !done.isEmpty {
      try earlier.read(done, workerCount: ThreadPool.coreCount) { hash.update($0) }
    }
    return ArchivedFile(writer, hash)
  }

  /// Ends the archive.
  func finish(manifest: String) throws(FileError) {
    let bytes = Array(manifest.utf8)
    try writer.finish(bytes)
  }
}

/// A file of an archive, which the thread that writes fills.
final class ArchivedFile: ResumableSink {
  private let writer: SharedWriter
  private let hash: Mutex<RunningHash>

  fileprivate init(_ writer: SharedWriter, _ hash: RunningHash) {
    self.writer = writer
    self.hash = Mutex(hash)
  }

  var byteCount: Int { hash.withLock { $0.byteCount } }

  func write(_ bytes: RawSpan) throws(FileError) {
    hash.withLock { $0.update(bytes) }
    try writer.write(bytes)
  }

  /// Writes what is missing of a copy of `file`.
  func write(restOf file: MappedFile) throws(FileError) {
    var position = 0
    let done = byteCount
    try file.forEachChunk { (bytes) throws(FileError) in
      let skipped = min(max(done - position, 0), bytes.byteCount)
      position += bytes.byteCount
      try write(bytes.extracting(skipped..<bytes.byteCount))
    }
  }

  /// What a bundle says about the file.
  func record(at path: String) -> FileRecord { hash.withLock { $0.record(at: path) } }
}

/// The writer of an archive, from one thread at a time.
private final class SharedWriter: Sendable {
  private let writer: Mutex<ArchiveWriter>

  init(_ writer: sending ArchiveWriter) { self.writer = Mutex(writer) }

  func write(_ bytes: RawSpan) throws(FileError) {
    try writer.withLock { (writer) throws(FileError) in try writer.write(bytes) }
  }

  func finish(_ manifest: [UInt8]) throws(FileError) {
    try writer.withLock { (writer) throws(FileError) in
      _ = try writer.finish(manifest: unsafe manifest.span.bytes)
    }
  }
}
