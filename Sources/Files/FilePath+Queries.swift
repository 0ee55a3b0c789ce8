public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension FilePath {
  /// Whether the name ends in this extension, in whatever case.
  package func hasExtension(_ name: String) -> Bool { `extension`?.lowercased() == name }

  /// Whether anything is at this path.
  public var exists: Bool { status != nil }

  public var isDirectory: Bool { status?.type == .directory }

  /// Whether the path itself is a symbolic link, whatever it leads to.
  public var isLink: Bool {
    (try? stat(followTargetSymlink: false))?.type == .symbolicLink
  }

  public var isRegularFile: Bool { status?.type == .regular }

  /// The size of the file in bytes, or nil when there is none.
  public var fileByteCount: Int? { status.map { Int($0.size) } }

  /// Whether the name is taken, even by a link that leads nowhere.
  var isOccupied: Bool { (try? stat(followTargetSymlink: false)) != nil }

  private var status: Stat? { try? stat() }

  /// Whether this directory is `other`, or holds it at some depth; links are followed.
  public func holds(_ other: FilePath) -> Bool {
    guard let mine = absolute, let theirs = other.absolute else { return false }
    return theirs.starts(with: mine)
  }

  /// Checks that replacing what is at this path changes nothing that is being read.
  ///
  /// - Throws: `FileError` when it is one of `inputs`, holds one, or is a part of one.
  public func checkApart(from inputs: [FilePath]) throws(FileError) {
    for input in inputs {
      if holds(input) {
        throw FileError(.notReplaceable, self, detail: "it holds '\(input)', which is read")
      }
      if input.holds(self) {
        throw FileError(.notReplaceable, self, detail: "it is a part of '\(input)', which is read")
      }
    }
  }

  /// The names of the entries of this directory, sorted, without `.` and `..`.
  ///
  /// - Throws: `FileError` when the directory cannot be read.
  public func directoryEntries() throws(FileError) -> [String] {
    guard let stream = unsafe opendir(string) else {
      throw FileError(reading: self, Errno(rawValue: errno))
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
          unsafe String(cString: $0)
        }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The sibling with another last component; the path itself may end in a slash.
  func sibling(named name: String) -> FilePath {
    removingLastComponent().appending(name)
  }
}
