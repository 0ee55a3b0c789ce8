import CZstd
import Files

/// Gives the contents of a zstd file from its start to its end, a piece at a time.
@safe struct ZstdDecompressor: ~Copyable {
  /// A defect of the file, as the end of a sentence about it.
  struct Defect: Error, Equatable {
    let problem: String
  }

  private let file: MappedFile
  private let progress: ByteProgress?
  private let context: OpaquePointer
  /// Bytes of the file that zstd has taken.
  private var consumedByteCount = 0
  private var output: [UInt8]
  /// What of `output` has been decompressed and not yet given.
  private var available = 0..<0
  private var isInsideFrame = false

  /// - Parameter progress: told of the bytes of the file as they are taken.
  init(_ file: MappedFile, progress: ByteProgress?) {
    guard let context = unsafe ZSTD_createDCtx() else { fatalError("Out of memory") }
    self.file = file
    self.progress = progress
    unsafe self.context = context
    output = Array(repeating: 0, count: ZSTD_DStreamOutSize())
  }

  deinit { unsafe ZSTD_freeDCtx(context) }

  /// Gives the next bytes to `body`: at least one, unless the contents have ended, and at most
  /// `limit`.
  ///
  /// - Returns: how many bytes there were.
  /// - Throws: `Defect`, or what `body` throws.
  mutating func read(atMost limit: Int, _ body: (RawSpan) throws -> Void) throws -> Int {
    while available.isEmpty {
      let start = consumedByteCount
      if start == file.byteCount && !isInsideFrame { return 0 }
      try refill()
      // Inside a frame zstd may still hold bytes back, so only a call without effect is the end.
      if available.isEmpty && consumedByteCount == start { throw Defect(problem: "is cut short") }
    }
    let range = available.prefix(limit)
    try body(unsafe output.span.extracting(range).bytes)
    available = range.endIndex..<available.endIndex
    return range.count
  }

  private mutating func refill() throws(Defect) {
    let file = file  // a copy, because the closures below may not share `self`
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
    guard ZSTD_isError(hint) == 0 else {
      let reason = unsafe String(cString: ZSTD_getErrorName(hint))
      throw Defect(problem: "is damaged or no zstd file (\(reason))")
    }
    progress?(position - consumedByteCount)
    consumedByteCount = position
    available = 0..<produced
    isInsideFrame = hint != 0
  }
}
