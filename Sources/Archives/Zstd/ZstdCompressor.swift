import CZstd
package import Files

/// Makes one zstd frame of contents that come in pieces, without holding them.
///
///     let compressor = ZstdCompressor(to: output, contentByteCount: 1_000, level: 3)
///     try compressor.write(contents)  // in pieces of any size
///     try compressor.finish()
///
/// The frame says how much it holds and has a checksum. The same pieces give the same frame with the
/// same version of zstd.
@safe package final class ZstdCompressor: ByteSink {
  private let output: any ByteSink
  private nonisolated(unsafe) let context: OpaquePointer
  private var buffer: [UInt8]
  private var remainingByteCount: Int

  /// - Parameters:
  ///   - contentByteCount: the bytes that will be written.
  ///   - level: how hard zstd tries, from 1 to 19.
  package init(to output: any ByteSink, contentByteCount: Int, level: Int32) {
    self.output = output
    unsafe context = makeCompressionContext(level: level)
    let result = unsafe ZSTD_CCtx_setPledgedSrcSize(context, UInt64(contentByteCount))
    precondition(ZSTD_isError(result) == 0, "zstd takes no size")
    buffer = Array(repeating: 0, count: ZSTD_CStreamOutSize())
    remainingByteCount = contentByteCount
  }

  deinit { unsafe ZSTD_freeCCtx(context) }

  /// Appends contents.
  ///
  /// - Precondition: no more than was announced.
  package func write(_ bytes: RawSpan) throws(FileError) {
    precondition(bytes.byteCount <= remainingByteCount, "More contents than announced")
    remainingByteCount -= bytes.byteCount
    var position = 0
    while position < bytes.byteCount {
      position += try step(bytes.extracting(position..<bytes.byteCount), ZSTD_e_continue).taken
    }
  }

  /// Ends the frame.
  ///
  /// - Precondition: all that was announced has been written.
  package func finish() throws(FileError) {
    precondition(remainingByteCount == 0, "Fewer contents than announced")
    let nothing: [UInt8] = []
    while try step(unsafe nothing.span.bytes, ZSTD_e_end).held > 0 {}
  }

  /// - Returns: the bytes that zstd took, and at least how many it still holds back.
  private func step(
    _ bytes: RawSpan, _ operation: ZSTD_EndDirective
  ) throws(FileError) -> (taken: Int, held: Int) {
    let (taken, produced, held) = unsafe bytes.withUnsafeBytes { source in
      unsafe buffer.withUnsafeMutableBytes { destination in
        var contents = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var frame = unsafe ZSTD_outBuffer(
          dst: destination.baseAddress, size: destination.count, pos: 0)
        let held = unsafe ZSTD_compressStream2(context, &frame, &contents, operation)
        return unsafe (contents.pos, frame.pos, held)
      }
    }
    precondition(ZSTD_isError(held) == 0, "zstd cannot compress")
    let frame = buffer  // a span cannot be of what `output` might change
    if produced > 0 { try output.write(unsafe frame.span.extracting(0..<produced).bytes) }
    return (taken, held)
  }
}

/// A context of zstd that puts checksums into its frames; to be freed by whoever asks.
func makeCompressionContext(level: Int32) -> OpaquePointer {
  guard let context = unsafe ZSTD_createCCtx() else { fatalError("Out of memory") }
  for (parameter, value) in [(ZSTD_c_compressionLevel, level), (ZSTD_c_checksumFlag, 1)] {
    let result = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
    precondition(ZSTD_isError(result) == 0, "Unknown zstd parameter")
  }
  return unsafe context
}
