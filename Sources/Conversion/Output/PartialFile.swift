import Bundles
import Files
import Synchronization
import SystemPackage
import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file that is written from front to back by one run or, where that was cut short, by several.
///
/// While it grows its length and SHA-256 go to the journal. A run that goes on reads what is there,
/// and keeps it up to the last point at which the journal and the bytes agree; so nothing has to reach
/// the device in order, or at all, before the end.
final class PartialFile: ResumableSink, RewritableSink {
  let path: FilePath
  /// What the journal calls the file.
  private let name: String
  /// What errors call it.
  private let reportedPath: FilePath
  private let journal: Journal
  private let checkpointByteCount: Int
  private let descriptor: FileDescriptor
  private let state: Mutex<State>

  private struct State {
    /// The first byte that is hashed; those before may be rewritten at the end.
    var firstHashedByte: Int
    var isRewritten = false
    var byteCount = 0
    var hash: RunningHash
    var recordedByteCount = 0

    mutating func append(_ bytes: RawSpan) {
      let hashed = bytes.extracting(
        min(max(firstHashedByte - byteCount, 0), bytes.byteCount)..<bytes.byteCount)
      hash.update(hashed)
      byteCount += bytes.byteCount
    }

    /// What to write into the journal, once that many bytes are new.
    mutating func checkpoint(isDue newByteCount: Int) -> (new: Range<Int>, sha256: String)? {
      guard byteCount - recordedByteCount >= newByteCount else { return nil }
      defer { recordedByteCount = byteCount }
      return (recordedByteCount..<byteCount, hash.sha256)
    }
  }

  /// Opens the file at `path`, or makes it.
  ///
  /// - Parameters:
  ///   - checkpoints: what the journal says of the file: SHA-256 by length.
  ///   - checkpointByteCount: bytes between two lines of the journal.
  ///   - firstHashedByte: behind what `rewrite` may change at the end.
  ///   - pieceByteCount: the bytes of the pieces whose hashes are wanted too, if any.
  /// - Throws: `FileError` when it can be neither read nor written.
  init(
    _ path: FilePath, named name: String, reportedAs reportedPath: FilePath,
    checkpoints: [Int: String], checkpointByteCount: Int, firstHashedByte: Int,
    pieceByteCount: Int?, journal: Journal
  ) throws(FileError) {
    self.path = path
    self.name = name
    self.reportedPath = reportedPath
    self.journal = journal
    self.checkpointByteCount = checkpointByteCount
    do {
      descriptor = try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw FileError(writing: reportedPath, error)
    }
    do {
      let empty = State(
        firstHashedByte: firstHashedByte, hash: RunningHash(pieceByteCount: pieceByteCount))
      let kept = try Self.kept(of: path, checkpoints, empty)
      try descriptor.resize(to: Int64(kept.byteCount))
      try descriptor.seek(offset: 0, from: .end)
      state = Mutex(kept)
    } catch {
      try? descriptor.close()
      throw FileError(writing: reportedPath, error)
    }
  }

  deinit { try? descriptor.close() }

  /// The longest beginning of the file that the journal confirms.
  private static func kept(
    of path: FilePath, _ checkpoints: [Int: String], _ empty: State
  ) throws -> State {
    var kept = empty
    if checkpoints.isEmpty { return kept }
    try forgetCachedPages(of: path)
    let file = try MappedFile(path)
    var running = kept
    for byteCount in checkpoints.keys.sorted() where byteCount <= file.byteCount {
      while running.byteCount < byteCount {
        let piece = try OwnedBytes(byteCount: min(4 << 20, byteCount - running.byteCount)) {
          (bytes) throws(FileError) in
          try file.read(at: running.byteCount, into: &bytes)
        }
        running.append(piece.bytes)
      }
      guard running.hash.sha256 == checkpoints[byteCount] else { break }
      running.recordedByteCount = byteCount
      kept = running
    }
    return kept
  }

  /// Bytes so far, those of earlier runs included.
  var byteCount: Int { state.withLock { $0.byteCount } }

  func write(_ bytes: RawSpan) throws(FileError) {
    do {
      _ = try unsafe bytes.withUnsafeBytes { unsafe try descriptor.writeAll($0) }
    } catch {
      throw FileError(writing: reportedPath, error)
    }
    let record = state.withLock { state in
      state.append(bytes)
      return state.checkpoint(isDue: checkpointByteCount)
    }
    if let record { try self.record(record) }
  }

  /// Changes bytes before the first that is hashed, once all others are durable: an end in the middle of
  /// it costs nothing.
  func rewrite(_ bytes: RawSpan, at offset: Int) throws(FileError) {
    precondition(
      offset + bytes.byteCount <= state.withLock { $0.firstHashedByte }, "Not a place to rewrite")
    if state.withLock({ !$0.isRewritten }) {
      _ = try finish()
      state.withLock { $0.isRewritten = true }
    }
    do {
      _ = try unsafe bytes.withUnsafeBytes {
        unsafe try descriptor.writeAll(toAbsoluteOffset: Int64(offset), $0)
      }
    } catch {
      throw FileError(writing: reportedPath, error)
    }
  }

  /// Makes the file durable.
  ///
  /// - Returns: the hash of its bytes, from the first that is hashed.
  @discardableResult
  func finish() throws(FileError) -> RunningHash {
    guard fsync(descriptor.rawValue) == 0 else {
      throw FileError(writing: reportedPath, Errno(rawValue: errno))
    }
    if let record = state.withLock({ $0.checkpoint(isDue: 1) }) { try self.record(record) }
    return state.withLock { $0.hash }
  }

  private func record(_ checkpoint: (new: Range<Int>, sha256: String)) throws(FileError) {
    #if canImport(Glibc)
      // Has the system begin to write, so that the end does not wait for all of it.
      _ = posix_fadvise(
        descriptor.rawValue, off_t(checkpoint.new.lowerBound), off_t(checkpoint.new.count),
        POSIX_FADV_DONTNEED)
    #endif
    try journal.append(
      .checkpoint(
        file: name, byteCount: checkpoint.new.upperBound, sha256: checkpoint.sha256))
  }
}

/// Has the next look at a file see what the device has of it: a system whose writing failed may keep
/// pages that the device never got, and count them as written.
private func forgetCachedPages(of path: FilePath) throws {
  let descriptor = try FileDescriptor.open(path, .readWrite, options: .closeOnExec)
  defer { try? descriptor.close() }
  guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
  #if canImport(Glibc)
    _ = posix_fadvise(descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED)
  #endif
}
