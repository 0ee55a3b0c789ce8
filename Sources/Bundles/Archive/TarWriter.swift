import Files
import SystemPackage

/// Writes files of a directory as a tar archive in zstd, one after the other.
struct TarWriter: ~Copyable {
  /// Two blocks of zeros end an archive.
  private static let end = [UInt8](repeating: 0, count: 2 * TarHeader.blockByteCount)

  /// All files are mapped at the start, which settles their sizes.
  private let entries: [(header: TarHeader, file: MappedFile)]
  private let compressor: ZstdCompressor
  private var position = 0

  /// Starts an archive of the files `names` of `directory`.
  init(
    _ names: [String], of directory: FilePath, to sink: any ByteSink, workerCount: Int
  ) throws(FileError) {
    var entries: [(header: TarHeader, file: MappedFile)] = []
    var total = Self.end.count
    for name in names {
      let file = try MappedFile(directory.pushing(FilePath(name)))
      let header = TarHeader(name: name, byteCount: file.byteCount)
      total += header.blocks.count + header.byteCount + header.paddingByteCount
      entries.append((header, file))
    }
    self.entries = entries
    compressor = ZstdCompressor(to: sink, byteCount: total, workerCount: workerCount)
  }

  /// Writes the next file.
  ///
  /// - Returns: what a manifest says about the bytes that were written.
  /// - Precondition: there is one.
  mutating func appendNext(progress: ByteProgress?) throws(FileError) -> BundleManifest.File {
    let (header, file) = entries[position]
    position += 1
    var hash = RunningHash()
    try write(header.blocks)
    try file.forEachChunk { (bytes) throws(FileError) in
      hash.update(bytes)
      try compressor.write(bytes)
      progress?(bytes.byteCount)
    }
    try write(Array(repeating: 0, count: header.paddingByteCount))
    return hash.file(at: header.name)
  }

  /// Writes the end of the archive and of the compressed frame.
  ///
  /// - Precondition: every file has been written.
  consuming func finish() throws(FileError) {
    precondition(position == entries.count, "Fewer files than planned")
    try write(Self.end)
    try compressor.finish()
  }

  private func write(_ bytes: [UInt8]) throws(FileError) {
    try compressor.write(unsafe bytes.span.bytes)
  }
}
