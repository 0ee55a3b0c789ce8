public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file that appears whole or not at all.
///
/// Bytes go to a temporary sibling; `commit` flushes it to the device and renames it to its place.
/// Whatever was there before is replaced in the same step. A `NewFile` that is dropped without
/// `commit` removes its temporary sibling.
public final class NewFile {
  public let path: FilePath
  /// What errors call the file.
  private let reportedPath: FilePath
  private let temporaryPath: FilePath
  private let mayReplace: Bool
  private let descriptor: FileDescriptor
  private var isOpen = true

  /// Starts a file that will be at `path`.
  ///
  /// - Parameters:
  ///   - mayReplace: whether a file that is already there may be replaced.
  ///   - isPrivate: whether only the user who runs the process may read it.
  /// - Throws: `FileError` when something is there, or the folder cannot be written.
  public convenience init(
    _ path: FilePath, mayReplace: Bool = false, isPrivate: Bool = false
  ) throws(FileError) {
    try self.init(path, reportedAs: path, mayReplace: mayReplace, isPrivate: isPrivate)
  }

  /// Starts a file in a directory that has itself another name in the end.
  package init(
    _ path: FilePath, reportedAs reportedPath: FilePath, mayReplace: Bool, isPrivate: Bool = false
  ) throws(FileError) {
    guard mayReplace || !path.isOccupied else { throw FileError(.exists, reportedPath) }
    guard !path.exists || path.isRegularFile else {
      throw FileError(.notReplaceable, reportedPath, detail: "it is no regular file")
    }
    self.path = path
    self.reportedPath = reportedPath
    self.mayReplace = mayReplace
    temporaryPath = path.temporarySibling
    do {
      descriptor = try FileDescriptor.open(
        temporaryPath, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: isPrivate ? [.ownerReadWrite] : [.ownerReadWrite, .groupRead, .otherRead])
    } catch let error as Errno {
      throw FileError(writing: reportedPath, error)
    } catch {
      throw FileError(.cannotWrite, reportedPath, detail: "\(error)")
    }
    PendingOutputs.insert(temporaryPath)
  }

  deinit {
    guard isOpen else { return }
    try? descriptor.close()
    removeTree(temporaryPath)
    PendingOutputs.remove(temporaryPath)
  }

  /// Appends all of `bytes`.
  public func write(_ bytes: RawSpan) throws(FileError) {
    try attempt { _ = try unsafe bytes.withUnsafeBytes { unsafe try descriptor.writeAll($0) } }
  }

  public func rewrite(_ bytes: RawSpan, at offset: Int) throws(FileError) {
    try attempt {
      _ = try unsafe bytes.withUnsafeBytes {
        unsafe try descriptor.writeAll(toAbsoluteOffset: Int64(offset), $0)
      }
    }
  }

  /// Appends `text` as UTF-8.
  public func write(_ text: String) throws(FileError) {
    try attempt { _ = try descriptor.writeAll(text.utf8) }
  }

  /// Makes the file durable and puts it in its place.
  ///
  /// - Parameter isDurable: false for a working file, which need not outlast a loss of power.
  public func commit(isDurable: Bool = true) throws(FileError) {
    precondition(isOpen, "File already committed")
    try attempt {
      guard !isDurable || fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
    isOpen = false
    defer { PendingOutputs.remove(temporaryPath) }
    // Some file systems report a failed write no earlier than here.
    do throws(FileError) {
      guard close(descriptor.rawValue) == 0 else {
        throw FileError(writing: reportedPath, Errno(rawValue: errno))
      }
      try temporaryPath.becomeFile(at: path, reportedAs: reportedPath, mayReplace: mayReplace)
    } catch {
      removeTree(temporaryPath)
      throw error
    }
    if isDurable { syncDirectory(path.removingLastComponent()) }
  }

  private func attempt(_ body: () throws -> Void) throws(FileError) {
    precondition(isOpen, "File already committed")
    do {
      try body()
    } catch {
      throw FileError(writing: reportedPath, error)
    }
  }
}

extension FilePath {
  /// Gives the file at this path the name `destination`.
  ///
  /// - Parameters:
  ///   - reported: what an error calls the destination; nil for its own name.
  ///   - mayReplace: whether a file that is there gives way.
  /// - Throws: `FileError` when something is there, or the folder cannot be written.
  package func becomeFile(
    at destination: FilePath, reportedAs reported: FilePath? = nil, mayReplace: Bool
  ) throws(FileError) {
    if !mayReplace {
      // Unlike a rename, a link never replaces what another process put there in the meantime.
      if unsafe link(string, destination.string) == 0 {
        unsafe unlink(string)
        return
      }
      // Some file systems have no links.
      guard errno != EEXIST else { throw FileError(.exists, reported ?? destination) }
    }
    guard unsafe rename(string, destination.string) == 0 else {
      throw FileError(writing: reported ?? destination, Errno(rawValue: errno))
    }
  }

  /// A name beside this one that no other run of any process uses at the same time.
  var temporarySibling: FilePath {
    // Cut, because a name of the greatest length could not be made longer.
    let name = String((lastComponent?.string ?? "output").unicodeScalars.prefix(40))
    let suffix = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    return sibling(named: ".\(name).partial-\(suffix)")
  }
}

/// Makes a rename inside `directory` durable, where the file system can.
package func syncDirectory(_ directory: FilePath) {
  let path = directory.isEmpty ? FilePath(".") : directory
  guard let descriptor = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
    return
  }
  fsync(descriptor.rawValue)
  try? descriptor.close()
}
