/// Relative paths from a list that a stranger wrote, which are to become files in one folder.
package enum PlainPath {
  /// Whether `path` can only be a place inside the folder that it is relative to.
  ///
  /// It has `/` between its components, of which none is empty, `.` or `..`, and neither a `\` nor
  /// a control character. Bytes decide, as they do for the system: to Swift, a `/` with a combining
  /// accent behind it is another character.
  package static func isPlain(_ path: String) -> Bool {
    path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy {
      !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
    } && !path.utf8.contains { $0 == UInt8(ascii: "\\") || $0 < 0x20 || $0 == 0x7F }
  }

  /// What keeps `paths` from being files of one folder, as the end of a sentence; nil when nothing
  /// does.
  package static func defect(in paths: [String]) -> String? {
    var files: Set<String> = []
    var folders: Set<String> = []
    for path in paths {
      guard isPlain(path) else {
        return "names the file '\(path)', which is not a plain path inside a folder"
      }
      guard files.insert(path).inserted else { return "names the file '\(path)' twice" }
      for (index, byte) in zip(path.utf8.indices, path.utf8) where byte == UInt8(ascii: "/") {
        folders.insert(String(path[..<index]))
      }
    }
    return files.intersection(folders).min().map { "names '\($0)' both as a file and as a folder" }
  }
}
