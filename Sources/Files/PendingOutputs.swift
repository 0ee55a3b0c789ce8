import Synchronization
public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The temporary files and directories that are being written right now.
///
/// Each one is removed when its writer gives up. A process that is about to end without unwinding,
/// on an interrupt for example, calls `removeAll` so that nothing half-written stays behind.
public enum PendingOutputs {
  private struct Paths {
    var pending: Set<String> = []
    var kept: Set<String> = []
  }

  private static let paths = Mutex(Paths())

  package static func insert(_ path: FilePath) {
    paths.withLock { _ = $0.pending.insert(path.string) }
  }

  package static func remove(_ path: FilePath) {
    paths.withLock { paths in
      paths.pending.remove(path.string)
      paths.kept.remove(path.string)
    }
  }

  /// Notes that what is at a path, half-written as it is, is worth keeping from now on.
  package static func keep(_ path: FilePath) {
    paths.withLock { paths in
      guard paths.pending.remove(path.string) != nil else { return }
      paths.kept.insert(path.string)
    }
  }

  /// Removes everything that is half-written.
  ///
  /// - Returns: what stays, since a later run can go on with it.
  @discardableResult
  public static func removeAll() -> [FilePath] {
    let (pending, kept) = paths.withLock { paths in
      defer { paths = Paths() }
      return (paths.pending, paths.kept)
    }
    for path in pending { removeTree(FilePath(path)) }
    return kept.sorted().map { FilePath($0) }
  }
}

/// Removes a file, or a directory with all it holds; what cannot be removed stays.
package func removeTree(_ path: FilePath) {
  // The type is read without following a link: a link is removed, not what it points to.
  guard let status = try? path.stat(followTargetSymlink: false) else { return }
  if status.type == .directory {
    for name in (try? path.directoryEntries()) ?? [] { removeTree(path.appending(name)) }
    unsafe rmdir(path.string)
  } else {
    unsafe unlink(path.string)
  }
}
