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
  private static let paths = Mutex<Set<String>>([])
  private static let kept = Mutex<Set<String>>([])

  package static func insert(_ path: FilePath) {
    paths.withLock { _ = $0.insert(path.string) }
  }

  package static func remove(_ path: FilePath) {
    paths.withLock { _ = $0.remove(path.string) }
    kept.withLock { _ = $0.remove(path.string) }
  }

  /// Notes that what is at a path, half-written as it is, is worth keeping from now on.
  package static func keep(_ path: FilePath) {
    kept.withLock { _ = $0.insert(path.string) }
    paths.withLock { _ = $0.remove(path.string) }
  }

  /// What stays when all else is removed, since a later run can go on with it.
  public static var keptPaths: [FilePath] { kept.withLock { $0.sorted().map { FilePath($0) } } }

  public static func removeAll() {
    let pending = paths.withLock { paths in
      defer { paths = [] }
      return paths
    }
    for path in pending { removeTree(FilePath(path)) }
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
