package import Archives
package import Files

/// The tar stream of an archive whose frames are known, to be read from anywhere.
package struct FramedContents: Sendable {
  private let file: MappedFile
  /// One after the other, from the start of the file.
  package let frames: [ArchiveFrame]

  /// The frames that the seek table of `file` lists; nil when it has none that can be used.
  ///
  /// - Throws: `ArchiveDefect` when the table contradicts itself or the size of the file.
  package init?(_ file: MappedFile) throws(ArchiveDefect) {
    guard let frames = try SeekTable.frames(in: file) else { return nil }
    self.file = file
    self.frames = frames
  }

  /// The whole frames at the start of `file`, an archive of this `layout` whose writing may have
  /// been interrupted at any byte.
  ///
  /// Reading checks the contents of frames; this looks only at where they begin and end.
  package init(interrupted file: MappedFile, layout: ArchiveLayout) {
    self.file = file
    var frames: [ArchiveFrame] = []
    var position = 0
    for contents in layout.frames {
      let rest = file.bytes.extracting(position..<file.byteCount)
      guard let (byteCount, contentByteCount) = FrameDecoder.measure(rest),
        contentByteCount == contents.count
      else { break }
      let frame = ArchiveFrame(place: position..<position + byteCount, contents: contents)
      // The manifest is written at the end, into frames of a known size.
      let isManifest = contents.upperBound <= layout.entries.first?.segment.upperBound ?? 0
      guard frame.isStored || !isManifest else { break }
      frames.append(frame)
      position += byteCount
    }
    self.frames = frames
  }

  /// The length of the tar stream.
  package var byteCount: Int { frames.last?.contents.upperBound ?? 0 }

  /// Gives `range` of the tar stream in order, a frame or less at a time, checking each frame.
  ///
  /// - Throws: `ArchiveDefect` when a frame is damaged, or what `body` throws.
  /// - Precondition: the range is inside the stream.
  package func read(
    _ range: Range<Int>, workerCount: Int = 1, _ body: (RawSpan) throws -> Void
  ) throws {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "Range out of bounds")
    let frames = range.isEmpty ? [] : frames.covering(range)
    let source = FrameSource(frames, of: file, workerCount: workerCount)
    var position = frames.first?.contents.lowerBound ?? range.upperBound
    while position < range.upperBound {
      let limit = position < range.lowerBound ? range.lowerBound : range.upperBound
      position += try source.read(atMost: limit - position) {
        [isWanted = position >= range.lowerBound] in
        if isWanted { try body($0) }
      }
    }
  }

  /// Gives a frame as it is in the file.
  func withBytes(of frame: ArchiveFrame, _ body: (RawSpan) throws -> Void) rethrows {
    try body(file.bytes.extracting(frame.place))
  }

  /// The whole stream from its start.
  ///
  /// - Parameter progress: told of all bytes of the file as they are taken.
  func source(workerCount: Int, progress: ByteProgress?) -> FrameSource {
    FrameSource(frames[...], of: file, workerCount: workerCount, progress: progress)
  }
}
