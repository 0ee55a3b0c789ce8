import Files
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file that one process at a time may hold; the lock ends with this value, or with the process.
final class StoreLock {
  private let path: FilePath
  private let descriptor: SystemPackage.FileDescriptor

  /// Opens the file at `path`, which is made when it is not there, and takes the lock.
  ///
  /// - Parameter waits: whether to wait for whoever holds it.
  /// - Returns: nil when it is held and this does not wait.
  /// - Throws: `FileError` when the file cannot be opened.
  init?(_ path: FilePath, waits: Bool) throws(FileError) {
    self.path = path
    do {
      descriptor = try SystemPackage.FileDescriptor.open(
        path, .readWrite, options: [.create, .noFollow, .closeOnExec, .nonBlocking],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw FileError(writing: path, error)
    }
    var result: CInt
    repeat {
      result = flock(descriptor.rawValue, waits ? LOCK_EX : LOCK_EX | LOCK_NB)
    } while result != 0 && errno == EINTR
    guard result == 0 else {
      let failure = Errno(rawValue: errno)
      guard failure == .wouldBlock else { throw FileError(writing: path, failure) }
      return nil
    }
  }

  deinit { try? descriptor.close() }

  /// Leaves a note for those who find the lock held.
  func write(_ text: String) throws(FileError) {
    do {
      try descriptor.resize(to: 0, retryOnInterrupt: true)
      _ = try descriptor.writeAll(toAbsoluteOffset: 0, text.utf8)
    } catch {
      throw FileError(writing: path, error)
    }
  }
}

extension Store {
  /// Does short work that changes what is in the store, while no other process does.
  ///
  /// Whatever lies half-written in `blobs` or `bundles` while this is held is from a process that
  /// ended in the middle.
  func locked<Result>(_ work: () throws -> Result) throws -> Result {
    for folder in [path, blobs, names, bundles, partial] { try folder.makeFolder() }
    let lock = try StoreLock(path.appending("lock"), waits: true)
    return try withExtendedLifetime(lock) { try work() }
  }
}

extension FilePath {
  /// Makes the folder at this path and those above it, where they are not there.
  ///
  /// - Throws: `FileError` when that cannot be.
  func makeFolder() throws(FileError) {
    guard !isDirectory else { return }
    let parent = removingLastComponent()
    if !parent.isEmpty, parent != self { try parent.makeFolder() }
    // Another process may have made it just now.
    guard unsafe mkdir(string, 0o755) == 0 || errno == EEXIST else {
      throw FileError(writing: self, Errno(rawValue: errno))
    }
    guard isDirectory else { throw FileError(.notADirectory, self) }
  }
}
