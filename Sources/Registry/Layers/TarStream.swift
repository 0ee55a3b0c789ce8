import Archives
import Files

/// What was read and written while one file became a tar archive.
struct TarStream {
  private(set) var fileHash = RunningDigest()
  private(set) var hash = RunningDigest()

  /// The digest of the file.
  var fileDigest: ContentDigest { fileHash.digest }
  /// The digest of the archive, uncompressed.
  var digest: ContentDigest { hash.digest }

  /// Writes the archive of one file, compressed, to `output`.
  ///
  /// Everything in it but the path and the contents is constant.
  ///
  /// - Parameters:
  ///   - file: the contents.
  ///   - path: what the archive calls it.
  /// - Throws: what `output` throws.
  init(
    of file: MappedFile, as path: String, to output: some ByteSink, level: Int32
  ) throws(FileError) {
    let header = TarHeader(name: path, byteCount: file.byteCount)
    let start = header.blocks
    let end = [UInt8](
      repeating: 0, count: header.paddingByteCount + TarHeader.endByteCount)
    let compressor = ZstdCompressor(
      to: output, contentByteCount: start.count + file.byteCount + end.count, level: level)
    try write(unsafe start.span.bytes, to: compressor)
    try file.forEachPiece { (bytes) throws(FileError) in
      fileHash.update(bytes)
      try write(bytes, to: compressor)
    }
    try write(unsafe end.span.bytes, to: compressor)
    try compressor.finish()
  }

  private mutating func write(_ bytes: RawSpan, to compressor: ZstdCompressor) throws(FileError) {
    hash.update(bytes)
    try compressor.write(bytes)
  }
}
