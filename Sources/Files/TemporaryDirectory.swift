public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A private directory for working files, removed with all it holds when the last reference goes.
///
/// Only the user who runs the process can read it.
public final class TemporaryDirectory: Sendable {
  public let path: FilePath

  /// Makes an empty directory where `TMPDIR` says, or in `/tmp`.
  ///
  /// - Throws: `FileError` when it cannot be made.
  public init() throws(FileError) {
    let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array(FilePath(parent).appending("flare-XXXXXX").string.utf8CString)
    guard unsafe mkdtemp(&template) != nil else {
      throw FileError(writing: FilePath(parent), Errno(rawValue: errno))
    }
    path = FilePath(platformString: template)
    PendingOutputs.insert(path)
  }

  /// Starts a file inside, in a folder that is made when needed.
  public func newFile(_ name: FilePath) throws(FileError) -> NewFile {
    let folder = try makeDirectories(name.removingLastComponent(), in: path, for: path)
    return try NewFile(name.lastComponent.map { folder.appending($0) } ?? folder)
  }

  deinit {
    removeTree(path)
    PendingOutputs.remove(path)
  }
}
