package import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension FilePath {
  /// Size, time of change and number of the file here: what tells whether it is still the same.
  ///
  /// - Throws: `FileError` when there is none.
  package func fileState() throws(FileError) -> String {
    do {
      let status = try stat()
      let time = status.st_mtim
      return "\(status.size) bytes, modified \(time.tv_sec) s \(time.tv_nsec) ns, file "
        + "\(status.inode.rawValue)"
    } catch {
      throw FileError(reading: self, error)
    }
  }

  /// The path from the root, with links resolved; nil when there is nothing at it.
  package var absolute: FilePath? {
    guard let path = unsafe realpath(string, nil) else { return nil }
    defer { unsafe free(path) }
    return unsafe FilePath(String(cString: path))
  }
}
