import Crypto
public import Files
public import SystemPackage

/// A new file whose SHA-256 is known when its last byte is written.
final class HashedFile: ByteSink {
  private let file: NewFile
  private var hash = RunningHash()

  init(_ file: NewFile) { self.file = file }

  func write(_ bytes: RawSpan) throws(FileError) {
    hash.update(bytes)
    try file.write(bytes)
  }

  /// Puts the file in its place and gives what a manifest says about it.
  func commit(as path: String) throws(FileError) -> BundleManifest.File {
    try file.commit()
    return hash.file(at: path)
  }
}

/// The SHA-256 and the length of bytes that pass by.
struct RunningHash {
  private var hash = SHA256()
  private var byteCount = 0

  mutating func update(_ bytes: RawSpan) {
    byteCount += bytes.byteCount
    unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
  }

  /// What a manifest says about a file with the bytes so far.
  func file(at path: String) -> BundleManifest.File {
    BundleManifest.File(path: path, byteCount: byteCount, sha256: hexadecimal(hash.finalize()))
  }
}

private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

extension BundleManifest.File {
  /// Describes a file by reading all of it.
  ///
  /// - Parameters:
  ///   - source: the file to read.
  ///   - path: what the manifest calls it.
  /// - Throws: `FileError` when it cannot be read.
  public init(
    hashing source: FilePath, as path: String, progress: ByteProgress? = nil
  ) throws(FileError) {
    var hash = RunningHash()
    try MappedFile(source).forEachChunk { (bytes) throws(FileError) in
      hash.update(bytes)
      progress?(bytes.byteCount)
    }
    self = hash.file(at: path)
  }
}

extension MappedFile {
  /// Gives the bytes of the file in order, some megabytes at a time.
  func forEachChunk<Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    let chunkByteCount = 4 << 20
    var start = 0
    while start < byteCount {
      let end = min(start + chunkByteCount, byteCount)
      try body(bytes.extracting(start..<end))
      start = end
    }
  }
}
