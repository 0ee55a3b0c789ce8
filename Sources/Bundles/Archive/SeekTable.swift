import Archives
import Files

/// The table at the end of an archive that says where its frames are, in zstd's seekable format.
///
/// It is a skippable frame, so whatever reads zstd passes over it. Sizes are all there is in it; the
/// frames have checksums of their own.
enum SeekTable {
  /// Magic number and size of the skippable frame.
  private static let headerByteCount = 8
  /// Number of frames, descriptor, magic number.
  private static let footerByteCount = 9
  /// Sizes of a frame and of its contents.
  private static let entryByteCount = 8
  /// Set when entries have a checksum too, as other writers may want.
  private static let checksumFlag: UInt8 = 0x80
  /// Bits of the descriptor whose meaning is not known.
  private static let reservedBits: UInt8 = 0x7C
  /// Contents of one frame that are held in memory; a frame may say of itself that it has 4 GiB.
  private static let maximumContentByteCount = 16 << 20

  static func byteCount(for frameCount: Int) -> Int {
    headerByteCount + frameCount * entryByteCount + footerByteCount
  }

  /// The table of `frames`.
  ///
  /// - Precondition: they follow one another from the start of the file, and there are at most
  ///   `ArchiveLayout.maximumFrameCount`.
  static func bytes(of frames: [ArchiveFrame]) -> [UInt8] {
    var table: [UInt8] = []
    table.reserveCapacity(byteCount(for: frames.count))
    table.append(littleEndian: ZstdMagic.seekTable)
    table.append(littleEndian: UInt32(byteCount(for: frames.count) - headerByteCount))
    for frame in frames {
      table.append(littleEndian: UInt32(frame.place.count))
      table.append(littleEndian: UInt32(frame.contents.count))
    }
    table.append(littleEndian: UInt32(frames.count))
    table.append(0)
    table.append(littleEndian: ZstdMagic.seekTableEnd)
    return table
  }

  /// The frames of `file` as its table gives them; nil when there is none, or one with frames that
  /// are too many or too large to be held.
  ///
  /// Every frame has to be checked against the table when it is read.
  ///
  /// - Throws: `ArchiveDefect` when the table contradicts itself or the size of the file.
  static func frames(in file: MappedFile) throws(ArchiveDefect) -> [ArchiveFrame]? {
    let bytes = file.bytes
    let footer = bytes.byteCount - footerByteCount
    guard footer >= headerByteCount, bytes.littleEndian(at: footer + 5) == ZstdMagic.seekTableEnd
    else { return nil }
    let frameCount = Int(bytes.littleEndian(at: footer))
    let descriptor = Span<UInt8>(_bytes: bytes.extracting(footer + 4..<footer + 5))[0]
    guard descriptor & reservedBits == 0 else {
      throw ArchiveDefect(problem: "has a seek table of an unknown kind (\(descriptor))")
    }
    let stride = entryByteCount + (descriptor & checksumFlag == 0 ? 0 : 4)
    let start = footer - frameCount * stride - headerByteCount
    guard start >= 0, bytes.littleEndian(at: start) == ZstdMagic.seekTable,
      Int(bytes.littleEndian(at: start + 4)) == bytes.byteCount - start - headerByteCount
    else {
      throw ArchiveDefect(
        problem: "has a seek table that does not begin where its \(frameCount) frames put it")
    }
    if frameCount > ArchiveLayout.maximumFrameCount { return nil }
    return try frames(in: bytes, table: start, count: frameCount, stride: stride)
  }

  private static func frames(
    in bytes: RawSpan, table: Int, count: Int, stride: Int
  ) throws(ArchiveDefect) -> [ArchiveFrame]? {
    var frames: [ArchiveFrame] = []
    frames.reserveCapacity(count)
    var (place, contents) = (0, 0)  // sums of at most 2^20 numbers of 32 bits
    for index in 0..<count {
      let entry = table + headerByteCount + index * stride
      let byteCount = Int(bytes.littleEndian(at: entry))
      let contentByteCount = Int(bytes.littleEndian(at: entry + 4))
      guard 1...maximumContentByteCount ~= contentByteCount else { return nil }
      frames.append(
        ArchiveFrame(
          place: place..<place + byteCount, contents: contents..<contents + contentByteCount))
      place += byteCount
      contents += contentByteCount
    }
    guard place == table else {
      throw ArchiveDefect(
        problem: "has a seek table for frames of \(place) bytes, but \(table) are before it")
    }
    return frames
  }
}
