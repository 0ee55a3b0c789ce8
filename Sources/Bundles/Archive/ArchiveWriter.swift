package import Archives
package import Files

/// Writes the single-file form of a bundle from the contents of its files, in their order.
///
///     let writer = ArchiveWriter(layout, to: output, workerCount: 2)
///     try writer.write(contents)  // of every file but the manifest, in pieces of any size
///     let report = try writer.finish(manifest: text)
///
/// Headers and padding come by themselves. The manifest comes first in the archive and is known
/// last, since it has the hashes of all files; its frames are stored, so their places can be kept
/// free and filled at the end. Frames are made on other threads, a few at a time for each, and
/// are the same whatever their number.
package final class ArchiveWriter: ByteSink {
  private let layout: ArchiveLayout
  private let output: any RewritableSink
  private let jobs: OrderedJobs<[UInt8]>
  /// What each frame will hold of the tar stream.
  private let plan: [Range<Int>]
  private var written: [ArchiveFrame]
  /// Contents of the frame in hand, which ends at `position` of the tar stream.
  private var buffer: [UInt8] = []
  private var position: Int
  /// The frame in hand, and the file that `position` is in.
  private var frameIndex: Int
  private var entryIndex = 1

  /// Starts an archive, or goes on with one.
  ///
  /// - Parameters:
  ///   - layout: the files, the manifest first.
  ///   - output: where the archive goes; its length is that of the `written` frames.
  ///   - written: the first frames of `layout`, which are in `output` already; those of the manifest
  ///     may hold anything. What has to be written then is what `layout.nextContents(after:)` says.
  ///   - workerCount: the threads that compress.
  /// - Throws: `FileError` when the manifest's place cannot be written.
  package init(
    _ layout: ArchiveLayout, to output: any RewritableSink, after written: [ArchiveFrame] = [],
    workerCount: Int
  ) throws(FileError) {
    precondition(!layout.entries.isEmpty, "No manifest")
    self.layout = layout
    self.output = output
    self.written = written
    plan = layout.frames
    precondition(
      written.count <= plan.count && zip(written, plan).allSatisfy { $0.contents == $1 },
      "Not the frames of this archive")
    jobs = OrderedJobs(workerCount: workerCount)
    frameIndex = written.count
    position = written.last?.contents.upperBound ?? 0
    try keepPlaceOfManifest()
  }

  /// Appends contents of the files after the manifest.
  ///
  /// - Precondition: no more than the layout has.
  package func write(_ contents: RawSpan) throws(FileError) {
    var done = 0
    while done < contents.byteCount {
      try advanceToContents()
      precondition(entryIndex < layout.entries.count, "More contents than planned")
      let place = layout.entries[entryIndex].contents
      let count = min(contents.byteCount - done, place.upperBound - position)
      try append(contents.extracting(done..<done + count))
      done += count
    }
  }

  /// Writes the end of the archive, its seek table, and the manifest in its place.
  ///
  /// - Returns: what became of each file.
  /// - Precondition: all contents are written and the manifest has the size that was planned.
  package func finish(manifest: RawSpan) throws(FileError) -> PackingReport {
    try advanceToContents()
    precondition(entryIndex == layout.entries.count, "Fewer contents than planned")
    try appendZeros(to: layout.end.upperBound)
    while try writeFrame() {}
    try output.write(unsafe SeekTable.bytes(of: written).span.bytes)
    try fill(manifest)
    return PackingReport(layout, written)
  }

  private var manifestFrames: [Range<Int>] { ArchiveLayout.frames(of: layout.entries[0].segment) }

  /// Writes frames of zeros where those of the manifest will be.
  private func keepPlaceOfManifest() throws(FileError) {
    for contents in manifestFrames.dropFirst(written.count) {
      let zeros = [UInt8](repeating: 0, count: contents.count)
      try write(frame: StoredFrame.bytes(of: unsafe zeros.span.bytes))
      frameIndex += 1
      position = contents.upperBound
    }
  }

  private func fill(_ manifest: RawSpan) throws(FileError) {
    let entry = layout.entries[0]
    precondition(manifest.byteCount == entry.contents.count, "Manifest of another size")
    var stream = entry.header.blocks
    stream.append(manifest)
    stream += Array(repeating: 0, count: entry.segment.count - stream.count)
    for (contents, frame) in zip(manifestFrames, written) {
      let bytes = StoredFrame.bytes(of: unsafe stream.span.extracting(contents).bytes)
      precondition(bytes.count == frame.place.count, "Place of another size")
      try output.rewrite(unsafe bytes.span.bytes, at: frame.place.lowerBound)
    }
  }

  /// Writes padding and headers up to the next byte of contents, or to the end of the last file.
  private func advanceToContents() throws(FileError) {
    while entryIndex < layout.entries.count {
      let entry = layout.entries[entryIndex]
      if position < entry.contents.lowerBound {
        let header = entry.header.blocks
        try append(unsafe header.span.extracting((position - entry.segment.lowerBound)...).bytes)
      }
      if position < entry.contents.upperBound { return }
      try appendZeros(to: entry.segment.upperBound)
      entryIndex += 1
    }
  }

  private func appendZeros(to end: Int) throws(FileError) {
    guard position < end else { return }
    let zeros = [UInt8](repeating: 0, count: end - position)
    try append(unsafe zeros.span.bytes)
  }

  /// Appends to the tar stream, and gives each frame that is full to a thread.
  private func append(_ bytes: RawSpan) throws(FileError) {
    var done = 0
    while done < bytes.byteCount {
      let frame = plan[frameIndex]
      if buffer.isEmpty { buffer.reserveCapacity(frame.count) }
      let count = min(bytes.byteCount - done, frame.upperBound - position)
      buffer.append(bytes.extracting(done..<done + count))
      done += count
      position += count
      guard position == frame.upperBound else { continue }
      if jobs.isFull { try writeFrame() }
      let contents = buffer
      buffer = []
      jobs.add { FrameEncoder.frame(of: unsafe contents.span.bytes) }
      frameIndex += 1
    }
  }

  /// Waits for the oldest frame and writes it.
  ///
  /// - Returns: false when there is none.
  @discardableResult
  private func writeFrame() throws(FileError) -> Bool {
    guard let frame = jobs.next() else { return false }
    try write(frame: frame)
    return true
  }

  private func write(frame: [UInt8]) throws(FileError) {
    let start = written.last?.place.upperBound ?? 0
    try output.write(unsafe frame.span.bytes)
    written.append(
      ArchiveFrame(place: start..<start + frame.count, contents: plan[written.count]))
  }
}
