import Synchronization
public import SystemPackage

/// Where the files that are mapped at this moment lie in memory.
///
/// A device that fails, or a file that another program cuts, makes the system stop the process when a
/// mapped page is touched (SIGBUS). A handler of that signal finds here which file it was.
public enum MappedRanges {
  private static let ranges = Mutex<[UInt: (byteCount: Int, path: FilePath)]>([:])

  static func insert(_ path: FilePath, at address: UInt, _ byteCount: Int) {
    ranges.withLock { $0[address] = (byteCount, path) }
  }

  static func remove(at address: UInt) {
    ranges.withLock { _ = $0.removeValue(forKey: address) }
  }

  /// The file that is mapped at an address; nil when there is none, or when the table is being changed.
  public static func path(at address: UInt) -> FilePath? {
    ranges.withLockIfAvailable { ranges in
      ranges.first { $0.key <= address && address - $0.key < UInt($0.value.byteCount) }?.value.path
    } ?? nil
  }
}
