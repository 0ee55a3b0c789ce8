import CZstd
import Files

/// Makes the zstd frame of a part of the tar stream.
///
/// A frame depends on its contents and nothing else, neither on the frames before it nor on the
/// thread that makes it; that is what makes archives the same for every number of threads, and
/// lets one be continued after any frame.
package enum FrameEncoder {
  /// Weights have no repeats that a higher level would find, only bytes that are unequally common.
  private static let level: Int32 = 3
  /// Gains of less than a sixteenth are not worth decompressing: quantized weights lose about 5 %
  /// of their bytes and are then read four times as slowly.
  private static let smallestGain = 16
  /// Contents that are longer than the sample are first judged by it.
  private static let samplePieceByteCount = 16 << 10
  private static let samplePieceCount = 8

  /// The frame with `contents`, compressed when it pays.
  package static func frame(of contents: RawSpan) -> [UInt8] {
    if isWorthTrying(contents) {
      let frame = compressed(contents)
      if pays(frame.count, for: contents.byteCount) { return frame }
    }
    return StoredFrame.bytes(of: contents)
  }

  private static func pays(_ compressed: Int, for count: Int) -> Bool {
    compressed < count - count / smallestGain
  }

  /// Whether pieces from all over `contents` compress.
  package static func isWorthTrying(_ contents: RawSpan) -> Bool {
    let sampleByteCount = samplePieceByteCount * samplePieceCount
    guard contents.byteCount > 2 * sampleByteCount else { return true }
    var sample: [UInt8] = []
    sample.reserveCapacity(sampleByteCount)
    for piece in 0..<samplePieceCount {
      let start = (contents.byteCount - samplePieceByteCount) * piece / (samplePieceCount - 1)
      sample.append(contents.extracting(start..<start + samplePieceByteCount))
    }
    return pays(compressed(unsafe sample.span.bytes).count, for: sampleByteCount)
  }

  private static func compressed(_ contents: RawSpan) -> [UInt8] {
    let context = unsafe makeCompressionContext(level: level)
    defer { unsafe ZSTD_freeCCtx(context) }
    let capacity = ZSTD_compressBound(contents.byteCount)
    return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      count = unsafe contents.withUnsafeBytes { source in
        unsafe ZSTD_compress2(
          context, buffer.baseAddress, buffer.count, source.baseAddress, source.count)
      }
      precondition(ZSTD_isError(count) == 0, "zstd cannot compress")
    }
  }
}
