import Files
import Tensors

/// Bytes between two reports of progress.
private let chunkByteCount = 8 << 20

extension ByteSink {
  /// Appends the bytes of `tensor`, a few megabytes at a time so that progress is seen to be made.
  func write(_ tensor: Tensor, progress: ByteProgress?) throws(FileError) {
    let bytes = tensor.bytes
    var start = 0
    while start < bytes.byteCount {
      let end = min(start + chunkByteCount, bytes.byteCount)
      try write(bytes.extracting(start..<end))
      progress?(end - start)
      start = end
    }
  }
}
