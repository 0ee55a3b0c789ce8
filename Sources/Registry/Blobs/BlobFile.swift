import Files
import NIOCore
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The file of a blob that is being fetched, with the digest of what it holds so far.
///
/// One process at a time has it; the lock goes with the descriptor.
final class BlobFile {
  let path: FilePath
  private(set) var byteCount = 0
  private var hash = RunningDigest()
  private let descriptor: SystemPackage.FileDescriptor

  /// Opens or makes the file, and hashes what is in it.
  ///
  /// - Parameter limit: the size of the whole blob; a file that is longer is not this blob and is
  ///   emptied.
  /// - Throws: `RegistryError` when another process has the file, or `FileError`.
  init(_ path: FilePath, limit: Int) throws {
    self.path = path
    do {
      descriptor = try SystemPackage.FileDescriptor.open(
        path, .readWrite, options: [.create, .noFollow, .closeOnExec, .nonBlocking],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch let error as Errno {
      throw FileError(writing: path, error)
    }
    guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      try? descriptor.close()
      throw RegistryError(.busy, path.string, "another process is fetching this blob")
    }
    let status = try? descriptor.stat()
    guard status?.type == .regular else {
      try? descriptor.close()
      throw FileError(.notAFile, path)
    }
    if Int(status?.size ?? 0) > limit { try empty() } else { try hashContents() }
  }

  deinit { try? descriptor.close() }

  private func hashContents() throws {
    var buffer = ByteBuffer()
    repeat {
      buffer.clear()
      try buffer.fill(from: descriptor, at: byteCount, upTo: 1 << 20)
      hash.update(buffer.readableBytesSpan)
      byteCount += buffer.readableBytes
    } while buffer.readableBytes > 0
  }

  /// The digest of all bytes so far.
  var digest: ContentDigest { hash.digest }

  /// Forgets all bytes.
  func empty() throws {
    try attempt { try descriptor.resize(to: 0, retryOnInterrupt: true) }
    byteCount = 0
    hash = RunningDigest()
  }

  /// Adds bytes at the end.
  func append(_ bytes: ByteBuffer) throws {
    try attempt {
      _ = try unsafe bytes.withUnsafeReadableBytes {
        unsafe try descriptor.writeAll(toAbsoluteOffset: Int64(byteCount), $0)
      }
    }
    hash.update(bytes.readableBytesSpan)
    byteCount += bytes.readableBytes
  }

  /// Makes the bytes durable.
  func synchronize() throws {
    try attempt {
      guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
  }

  private func attempt(_ body: () throws -> Void) throws {
    do { try body() } catch let error as Errno { throw FileError(writing: path, error) }
  }
}

extension ByteBuffer {
  /// Appends what a file holds at `offset`: some of at most `limit` bytes, none at its end.
  mutating func fill(from descriptor: SystemPackage.FileDescriptor, at offset: Int, upTo limit: Int)
    throws
  {
    _ = try unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: limit) {
      unsafe try descriptor.read(
        fromAbsoluteOffset: Int64(offset),
        into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(limit)))
    }
  }
}
