import Files
import SystemPackage

/// Writes files of a directory as a tar archive in zstd.
struct TarWriter: ~Copyable {
  /// Two blocks of zeros end an archive.
  private static let end = [UInt8](repeating: 0, count: 2 * TarHeader.blockByteCount)

  private let directory: FilePath
  private let compressor: ZstdCompressor

  /// Starts an archive of the files `names` of `directory`.
  init(
    _ names: [String], of directory: FilePath, to sink: any ByteSink, workerCount: Int
  ) throws(FileError) {
    self.directory = directory
    var total = Self.end.count
    for name in names {
      let header = try Self.header(of: name, in: directory)
      total += header.blocks.count + header.byteCount + header.paddingByteCount
    }
    compressor = ZstdCompressor(to: sink, byteCount: total, workerCount: workerCount)
  }

  /// Writes the next file.
  ///
  /// - Returns: what a manifest says about the bytes that were written.
  mutating func append(
    _ name: String, progress: ByteProgress?
  ) throws(FileError) -> BundleManifest.File {
    let header = try Self.header(of: name, in: directory)
    var hash = RunningHash()
    try write(header.blocks)
    try MappedFile(directory.pushing(FilePath(name))).forEachChunk { (bytes) throws(FileError) in
      hash.update(bytes)
      try compressor.write(bytes)
      progress?(bytes.byteCount)
    }
    try write(Array(repeating: 0, count: header.paddingByteCount))
    return hash.file(at: name)
  }

  /// Writes the end of the archive and of the compressed frame.
  consuming func finish() throws(FileError) {
    try write(Self.end)
    try compressor.finish()
  }

  private func write(_ bytes: [UInt8]) throws(FileError) {
    try compressor.write(unsafe bytes.span.bytes)
  }

  private static func header(
    of name: String, in directory: FilePath
  ) throws(FileError) -> TarHeader {
    let path = directory.pushing(FilePath(name))
    guard let byteCount = path.fileByteCount else { throw FileError(.notFound, path) }
    return TarHeader(name: name, byteCount: byteCount)
  }
}
