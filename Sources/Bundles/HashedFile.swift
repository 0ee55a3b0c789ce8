import Crypto
public import Files
public import SystemPackage
import Tensors

/// A new file whose SHA-256 is known when its last byte is written.
final class HashedFile: ByteSink {
  private let file: NewFile
  private var hash = RunningHash(pieceByteCount: BundleManifest.Tree.standardPieceByteCount)

  init(_ file: NewFile) { self.file = file }

  func write(_ bytes: RawSpan) throws(FileError) {
    hash.update(bytes)
    try file.write(bytes)
  }

  /// Puts the file in its place and gives what a bundle says about it.
  func commit(as path: String) throws(FileError) -> FileRecord {
    try file.commit()
    return hash.record(at: path)
  }
}

/// The SHA-256 and the length of bytes that pass by, and the SHA-256 of each piece of them.
package struct RunningHash: Sendable {
  private var hash = SHA256()
  private var pieces: PieceHashes?
  package private(set) var byteCount = 0

  /// Bytes that are hashed twice one after the other, while a core's cache still has them.
  private static let stepByteCount = 256 << 10

  /// - Parameter pieceByteCount: the bytes of a piece; nil when only the whole is of interest.
  package init(pieceByteCount: Int? = nil) {
    pieces = pieceByteCount.map { PieceHashes(pieceByteCount: $0) }
  }

  package mutating func update(_ bytes: RawSpan) {
    byteCount += bytes.byteCount
    for start in stride(from: 0, to: bytes.byteCount, by: Self.stepByteCount) {
      let step = bytes.extracting(start..<min(start + Self.stepByteCount, bytes.byteCount))
      unsafe step.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
      pieces?.update(step)
    }
  }

  /// The SHA-256 of the bytes so far.
  package var sha256: String { hexadecimal(hash.finalize()) }

  /// The SHA-256 of each piece of the bytes so far, one after the other.
  package var pieceDigests: [UInt8] { pieces?.digests ?? [] }

  /// What a manifest says about a file with the bytes so far.
  package func file(at path: String) -> BundleManifest.File {
    BundleManifest.File(path: path, byteCount: byteCount, sha256: sha256)
  }
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
  /// Reads the bytes of the file in order, some megabytes at a time.
  ///
  /// - Throws: `FileError` when they cannot be read, or what `body` throws.
  package func forEachChunk(_ body: (RawSpan) throws(FileError) -> Void) throws(FileError) {
    let chunkByteCount = 4 << 20
    for start in stride(from: 0, to: byteCount, by: chunkByteCount) {
      let chunk = try OwnedBytes(byteCount: min(chunkByteCount, byteCount - start)) {
        (bytes) throws(FileError) in
        try read(at: start, into: &bytes)
      }
      try body(chunk.bytes)
    }
  }
}
