import Archives

/// Where everything in an archive will be, known from the names and sizes of its files alone.
///
/// The tar stream is a row of segments: one for each file (header, contents, zeros that fill up the
/// last block) and one for the blocks of zeros at the end. Every segment is cut into frames of its
/// own, so the frames that hold a file hold nothing else.
package struct ArchiveLayout: Sendable, Equatable {
  /// Bytes of the tar stream in a frame; the last frame of a segment has what is left.
  ///
  /// Twice the window of the level in use, so cutting costs next to nothing of what compression
  /// gains, and small enough that one tensor can be read without decompressing much beside it.
  package static let frameByteCount = 4 << 20
  /// More frames than this, 4 TiB and more, are neither written nor looked up.
  package static let maximumFrameCount = 1 << 20

  /// One file of the archive; positions are in the tar stream.
  package struct Entry: Sendable, Equatable {
    package let path: String
    /// From the first byte of the header to the last of the padding.
    package let segment: Range<Int>
    package let contents: Range<Int>

    var header: TarHeader { TarHeader(name: path, byteCount: contents.count) }
  }

  package let entries: [Entry]
  /// The blocks of zeros after the last file.
  package let end: Range<Int>
  /// The length of the tar stream.
  package var byteCount: Int { end.upperBound }

  /// Lays out `files` in their order, of which the first is the manifest.
  ///
  /// - Returns: nil when they would make more than `maximumFrameCount` frames.
  /// - Precondition: sizes are not negative.
  package init?(_ files: [(path: String, byteCount: Int)]) {
    // No sum below can overflow once each size and the count of frames are bounded.
    let limit = Self.maximumFrameCount * Self.frameByteCount
    var entries: [Entry] = []
    var position = 0
    var frameCount = 1  // that of the end
    for file in files {
      precondition(file.byteCount >= 0, "Size out of bounds")
      guard file.byteCount <= limit, file.path.utf8.count <= limit else { return nil }
      let header = TarHeader(name: file.path, byteCount: file.byteCount)
      let contents = position + header.blocks.count
      let end = contents + file.byteCount + header.paddingByteCount
      entries.append(
        Entry(
          path: file.path, segment: position..<end, contents: contents..<contents + file.byteCount))
      frameCount += Self.frameCount(of: position..<end)
      guard frameCount <= Self.maximumFrameCount else { return nil }
      position = end
    }
    self.entries = entries
    end = position..<position + TarHeader.endByteCount
  }

  /// The segments in order, that of the end among them.
  package var segments: [Range<Int>] { entries.map(\.segment) + [end] }

  /// Bytes of the archive that the manifest takes, whose frames are stored.
  package var manifestPlaceByteCount: Int {
    guard let manifest = entries.first else { return 0 }
    return Self.frames(of: manifest.segment).reduce(0) {
      $0 + StoredFrame.byteCount(for: $1.count)
    }
  }

  /// The parts of the tar stream that become one frame each, in order.
  package var frames: [Range<Int>] { segments.flatMap(Self.frames) }

  /// The frames that `segment` is cut into.
  static func frames(of segment: Range<Int>) -> [Range<Int>] {
    stride(from: segment.lowerBound, to: segment.upperBound, by: frameByteCount).map {
      $0..<min($0 + frameByteCount, segment.upperBound)
    }
  }

  private static func frameCount(of segment: Range<Int>) -> Int {
    (segment.count + frameByteCount - 1) / frameByteCount
  }

  /// The first file that still needs contents when the tar stream is there up to `position`, and
  /// how many bytes of it are there; nil when only the end is missing.
  ///
  /// A file without contents needs none.
  package func nextContents(after position: Int) -> (entry: Int, offset: Int)? {
    guard
      let index = entries.firstIndex(where: {
        $0.contents.upperBound > position && !$0.contents.isEmpty
      })
    else { return nil }
    return (index, max(0, position - entries[index].contents.lowerBound))
  }
}
