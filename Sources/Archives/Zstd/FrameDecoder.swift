import CZstd
package import Files

/// Reads single frames of an archive.
package enum FrameDecoder {
  /// The contents of `frame`, which `file` has to hold as described.
  ///
  /// - Throws: `ArchiveDefect` when there is another frame, or a damaged one.
  package static func contents(
    of frame: ArchiveFrame, in file: MappedFile
  ) throws(ArchiveDefect) -> [UInt8] {
    let bytes = file.bytes.extracting(frame.place)
    // Before memory is taken for it: a table may say anything.
    guard let (byteCount, contentByteCount) = measure(bytes), byteCount == bytes.byteCount,
      contentByteCount == frame.contents.count
    else {
      throw ArchiveDefect(
        problem: "has another frame at byte \(frame.place.lowerBound) than its seek table says",
        contents: frame.contents)
    }
    var result = 0
    let contents = unsafe [UInt8](unsafeUninitializedCapacity: contentByteCount) { buffer, count in
      result = unsafe bytes.withUnsafeBytes { source in
        unsafe ZSTD_decompress(
          buffer.baseAddress, buffer.count, source.baseAddress, source.count)
      }
      count = ZSTD_isError(result) == 0 ? result : 0
    }
    guard ZSTD_isError(result) == 0 else {
      var defect = ArchiveDefect(zstd: result)
      defect.contents = frame.contents
      throw defect
    }
    guard contents.count == contentByteCount else {
      throw ArchiveDefect(
        problem: "has a frame at byte \(frame.place.lowerBound) with fewer contents than it says",
        contents: frame.contents)
    }
    return contents
  }

  /// The length of the whole frame that `bytes` begin with and of its contents; nil when there is
  /// none, when it is cut short, or when it does not say how much it holds.
  package static func measure(_ bytes: RawSpan) -> (byteCount: Int, contentByteCount: Int)? {
    guard bytes.byteCount >= 4, bytes.littleEndian(at: 0) == ZstdMagic.frame else { return nil }
    let (size, contentSize) = unsafe bytes.withUnsafeBytes { source in
      unsafe (
        ZSTD_findFrameCompressedSize(source.baseAddress, source.count),
        ZSTD_getFrameContentSize(source.baseAddress, source.count)
      )
    }
    guard ZSTD_isError(size) == 0, let contentByteCount = Int(exactly: contentSize) else {
      return nil  // zstd's values for an unknown size and for an error are beyond any Int
    }
    return (size, contentByteCount)
  }
}

extension ArchiveDefect {
  /// What zstd says of a file.
  init(zstd result: Int) {
    let reason = unsafe String(cString: ZSTD_getErrorName(result))
    self.init(problem: "is damaged or no zstd file (\(reason))")
  }
}
