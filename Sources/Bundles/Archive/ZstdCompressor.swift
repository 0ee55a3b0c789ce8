import CZstd
import Files

/// Compresses what is written to it into one zstd frame.
///
/// The work is always cut into zstd's own jobs, even for a single thread, because the bytes that
/// come out depend on the cuts and not on how many threads do the jobs.
@safe final class ZstdCompressor: ByteSink {
  /// Quants are nearly incompressible and scales are not, so higher levels cost much more time
  /// than they save space.
  private static let level: Int32 = 3

  private let sink: any ByteSink
  private nonisolated(unsafe) let context: OpaquePointer
  private var output: [UInt8]

  /// - Parameters:
  ///   - sink: where the frame goes.
  ///   - byteCount: how much will be written; the frame says so, for readers to plan.
  ///   - workerCount: the threads that compress.
  init(to sink: any ByteSink, byteCount: Int, workerCount: Int) {
    guard let context = unsafe ZSTD_createCCtx() else { fatalError("Out of memory") }
    self.sink = sink
    unsafe self.context = context
    output = Array(repeating: 0, count: ZSTD_CStreamOutSize())
    for (parameter, value) in [
      (ZSTD_c_compressionLevel, Self.level), (ZSTD_c_checksumFlag, 1),
    ] {
      let result = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
      precondition(ZSTD_isError(result) == 0, "Unknown zstd parameter")
    }
    // A library without threads refuses this and compresses in one.
    _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Int32(max(1, workerCount)))
    _ = unsafe ZSTD_CCtx_setPledgedSrcSize(context, UInt64(byteCount))
  }

  deinit { unsafe ZSTD_freeCCtx(context) }

  func write(_ bytes: RawSpan) throws(FileError) { try compress(bytes, ZSTD_e_continue) }

  /// Writes the end of the frame.
  func finish() throws(FileError) { try compress(RawSpan(), ZSTD_e_end) }

  private func compress(
    _ bytes: RawSpan, _ directive: ZSTD_EndDirective
  ) throws(FileError) {
    var consumed = 0
    var isDone = false
    while !isDone {
      let (produced, remaining) = unsafe bytes.withUnsafeBytes { source in
        unsafe output.withUnsafeMutableBytes { destination in
          var input = unsafe ZSTD_inBuffer(
            src: source.baseAddress, size: source.count, pos: consumed)
          var frame = unsafe ZSTD_outBuffer(
            dst: destination.baseAddress, size: destination.count, pos: 0)
          let remaining = unsafe ZSTD_compressStream2(context, &frame, &input, directive)
          unsafe consumed = input.pos
          return unsafe (frame.pos, remaining)
        }
      }
      precondition(ZSTD_isError(remaining) == 0, "zstd cannot compress")
      if produced > 0 {
        let frame = output
        try sink.write(unsafe frame.span.extracting(0..<produced).bytes)
      }
      isDone = directive == ZSTD_e_end ? remaining == 0 : consumed == bytes.byteCount
    }
  }
}
