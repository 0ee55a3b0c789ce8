import CZstd
package import Files

/// Gives the contents of a zstd file of any frames, on the thread that asks.
@safe package final class ZstdDecompressor: ArchiveByteSource {
  private let file: MappedFile
  private let progress: ByteProgress?
  private nonisolated(unsafe) let context: OpaquePointer
  /// Bytes of the file that zstd has taken.
  private var consumedByteCount = 0
  private var output: [UInt8]
  /// What of `output` has been decompressed and not yet given.
  private var available = 0..<0
  private var isInsideFrame = false

  /// - Parameter progress: told of the bytes of the file as they are taken.
  package init(_ file: MappedFile, progress: ByteProgress? = nil) {
    guard let context = unsafe ZSTD_createDCtx() else { fatalError("Out of memory") }
    self.file = file
    self.progress = progress
    unsafe self.context = context
    output = Array(repeating: 0, count: ZSTD_DStreamOutSize())
  }

  deinit { unsafe ZSTD_freeDCtx(context) }

  package func read(atMost limit: Int, _ body: (RawSpan) throws -> Void) throws -> Int {
    while available.isEmpty {
      let start = consumedByteCount
      if start == file.byteCount && !isInsideFrame { return 0 }
      try refill()
      // Inside a frame zstd may still hold bytes back, so only a call without effect is the end.
      if available.isEmpty && consumedByteCount == start {
        throw ArchiveDefect(problem: "is cut short")
      }
    }
    let range = available.prefix(limit)
    let contents = output  // a span cannot be of what `body` might change
    try body(unsafe contents.span.extracting(range).bytes)
    available = range.endIndex..<available.endIndex
    return range.count
  }

  private func refill() throws(ArchiveDefect) {
    let file = file
    var position = consumedByteCount
    let (produced, hint) = unsafe file.bytes.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { destination in
        var frame = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
        var contents = unsafe ZSTD_outBuffer(
          dst: destination.baseAddress, size: destination.count, pos: 0)
        let hint = unsafe ZSTD_decompressStream(context, &contents, &frame)
        unsafe position = frame.pos
        return unsafe (contents.pos, hint)
      }
    }
    guard ZSTD_isError(hint) == 0 else { throw ArchiveDefect(zstd: hint) }
    progress?(position - consumedByteCount)
    consumedByteCount = position
    available = 0..<produced
    isInsideFrame = hint != 0
  }
}
