import Files

/// A zstd frame that holds its contents as they are, in raw blocks.
///
/// Its size depends on nothing but the size of the contents, so its place can be kept free for
/// contents that are known later.
package enum StoredFrame {
  /// The largest block that zstd allows.
  private static let blockByteCount = 128 << 10
  /// Magic number, descriptor and a size of four bytes.
  private static let headerByteCount = 9
  private static let checksumByteCount = 4

  /// The size of a frame with `count` bytes of contents.
  package static func byteCount(for count: Int) -> Int {
    headerByteCount + 3 * blockCount(for: count) + count + checksumByteCount
  }

  /// The frame with `contents`.
  ///
  /// - Precondition: the size of the contents fits into 32 bits.
  package static func bytes(of contents: RawSpan) -> [UInt8] {
    let count = contents.byteCount
    var frame: [UInt8] = []
    frame.reserveCapacity(byteCount(for: count))
    frame.append(littleEndian: ZstdMagic.frame)
    frame.append(0b1010_0100)  // size in four bytes, which is also the window; checksum
    frame.append(littleEndian: UInt32(count))
    for block in 0..<blockCount(for: count) {
      let start = block * blockByteCount
      let size = min(blockByteCount, count - start)
      let isLast = start + size == count
      // Bit 0: last block; bits 1 and 2: 0 for raw; the rest: the size.
      let header = UInt32(size) << 3 | (isLast ? 1 : 0)
      frame.append(contentsOf: [0, 8, 16].map { UInt8(truncatingIfNeeded: header >> $0) })
      frame.append(contents.extracting(start..<start + size))
    }
    frame.append(littleEndian: ContentChecksum.of(contents))
    return frame
  }

  private static func blockCount(for count: Int) -> Int {
    max(1, (count + blockByteCount - 1) / blockByteCount)
  }
}

/// The four bytes that a frame begins with, and those that end a seek table.
package enum ZstdMagic {
  package static let frame: UInt32 = 0xFD2F_B528
  /// The one of the sixteen skippable frames that seek tables are in.
  package static let seekTable: UInt32 = 0x184D_2A5E
  package static let seekTableEnd: UInt32 = 0x8F92_EAB1
}

extension [UInt8] {
  package mutating func append(littleEndian value: UInt32) {
    append(contentsOf: [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) })
  }
}

extension RawSpan {
  /// Four bytes at `position`, least significant first.
  package func littleEndian(at position: Int) -> UInt32 {
    let value = unsafe extracting(position..<position + 4)
      .unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)
    return UInt32(littleEndian: value)
  }
}
