public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file mapped read-only into memory, shared by everything that points into it.
///
/// The mapping lives as long as the last reference. If another process truncates the file while it
/// is mapped, touching the lost pages ends the process (SIGBUS); no interface can turn that into
/// an error, which is why Flare's own writers always replace a file by rename, and why long work
/// reads with `read(at:into:)`.
@safe public final class MappedFile: Sendable {
  public let path: FilePath
  public let byteCount: Int
  private nonisolated(unsafe) let base: UnsafeRawPointer
  /// Open as long as the mapping, so that both are the same file whatever becomes of the name.
  private let descriptor: FileDescriptor

  /// Maps the whole of the regular file at `path`.
  ///
  /// - Throws: `FileError` when the file is missing, unreadable or not a regular file.
  public init(_ path: FilePath) throws(FileError) {
    self.path = path
    do {
      // Not blocking, because opening a pipe that nobody writes to would wait for ever.
      let descriptor = try FileDescriptor.open(
        path, .readOnly, options: [.closeOnExec, .nonBlocking])
      do {
        let status = try descriptor.stat()
        guard status.type == .regular else { throw FileError(.notAFile, path) }
        let byteCount = Int(status.size)
        // An empty file cannot be mapped; one page of nothing stands in for it.
        let address =
          unsafe byteCount == 0
          ? mmap(nil, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
          : mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor.rawValue, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
          throw Errno(rawValue: errno)
        }
        self.byteCount = byteCount
        self.descriptor = descriptor
        unsafe base = UnsafeRawPointer(address)
        MappedRanges.insert(path, at: UInt(bitPattern: address), max(byteCount, 1))
      } catch {
        try? descriptor.close()
        throw error
      }
    } catch let error as FileError {
      throw error
    } catch let error as Errno {
      throw FileError(reading: path, error)
    } catch {
      throw FileError(.unreadable, path, detail: "\(error)")
    }
  }

  deinit {
    MappedRanges.remove(at: unsafe UInt(bitPattern: base))
    unsafe munmap(UnsafeMutableRawPointer(mutating: base), max(byteCount, 1))
    try? descriptor.close()
  }

  /// The bytes of the file.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = unsafe RawSpan(_unsafeStart: base, byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Copies the bytes from `offset` by reading the file, which unlike a look at the mapping says what
  /// is wrong with a device, or with a file that was cut since.
  ///
  /// - Parameter bytes: filled whole.
  /// - Throws: `FileError` when the bytes cannot be read.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(FileError) {
    precondition(offset >= 0 && bytes.byteCount <= byteCount - offset, "Range out of bounds")
    do {
      try unsafe bytes.withUnsafeMutableBytes { buffer in
        var done = 0
        while done < buffer.count {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
          let count = try unsafe descriptor.read(
            fromAbsoluteOffset: Int64(offset + done), into: rest)
          guard count > 0 else {
            throw FileError(
              .unreadable, path,
              detail: "it ends at byte \(offset + done), but had \(byteCount) when it was opened. "
                + "Was it changed meanwhile?")
          }
          done += count
        }
      }
    } catch let error as FileError {
      throw error
    } catch let error as Errno {
      throw FileError(reading: path, error)
    } catch {
      throw FileError(.unreadable, path, detail: "\(error)")
    }
  }

  /// Asks the system to read a range into its cache.
  package func prefetch(_ range: Range<Int>) {
    #if canImport(Glibc)
      _ = posix_fadvise(
        descriptor.rawValue, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
    #endif
  }
}
