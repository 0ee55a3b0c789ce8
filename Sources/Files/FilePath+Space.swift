public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension FilePath {
  /// Bytes that can still be written where this path is or will be; nil when the system cannot say.
  public var availableByteCount: Int? {
    var existing = self
    while !existing.exists, !existing.isEmpty { existing.removeLastComponent() }
    var status = statvfs()
    guard unsafe statvfs(existing.isEmpty ? "." : existing.string, &status) == 0 else { return nil }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// Checks that `byteCount` bytes fit where this path is or will be.
  ///
  /// - Throws: `FileError` when they do not.
  public func checkSpace(for byteCount: Int) throws(FileError) {
    guard let available = availableByteCount, available < byteCount else { return }
    throw FileError(
      .noSpace, self, detail: "\(byteCount) bytes are needed, \(available) are free")
  }
}

extension FilePath {
  /// The bytes of a file, or of all files in a directory and below; links in it count nothing.
  public var treeByteCount: Int {
    guard isDirectory else { return fileByteCount ?? 0 }
    return ((try? directoryEntries()) ?? []).reduce(0) { sum, name in
      let entry = appending(name)
      return sum + (entry.isLink ? 0 : entry.treeByteCount)
    }
  }
}
