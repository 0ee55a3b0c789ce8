import Archives
import Files

/// Decompresses known frames on several threads.
final class FrameSource: ArchiveByteSource {
  private let file: MappedFile
  private let progress: ByteProgress?
  private let jobs: OrderedJobs<Result<[UInt8], ArchiveDefect>>
  /// Not yet given to a thread, and not yet taken from one.
  private var unread: ArraySlice<ArchiveFrame>
  private var untaken: ArraySlice<ArchiveFrame>
  private var output: [UInt8] = []
  /// What of `output` has not been given.
  private var available = 0..<0

  /// - Parameter progress: told of the bytes of the file as they are taken, of what follows the last
  ///   frame too.
  init(
    _ frames: ArraySlice<ArchiveFrame>, of file: MappedFile, workerCount: Int,
    progress: ByteProgress? = nil
  ) {
    self.file = file
    self.progress = progress
    unread = frames
    untaken = frames
    jobs = OrderedJobs(workerCount: workerCount)
  }

  func read(atMost limit: Int, _ body: (RawSpan) throws -> Void) throws -> Int {
    while available.isEmpty {
      guard try refill() else { return 0 }
    }
    let range = available.prefix(limit)
    let contents = output  // a span cannot be of what `body` might change
    try body(unsafe contents.span.extracting(range).bytes)
    available = range.endIndex..<available.endIndex
    return range.count
  }

  private func refill() throws(ArchiveDefect) -> Bool {
    while !jobs.isFull, let frame = unread.popFirst() {
      jobs.add { [file] in
        Result { () throws(ArchiveDefect) in try FrameDecoder.contents(of: frame, in: file) }
      }
    }
    guard let contents = jobs.next(), let frame = untaken.popFirst() else { return false }
    output = try contents.get()
    available = output.indices
    progress?(frame.place.count)
    if untaken.isEmpty { progress?(file.byteCount - frame.place.upperBound) }
    return true
  }
}
