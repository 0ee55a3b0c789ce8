import SystemPackage

/// The name of the files of a split model: `<prefix>-00001-of-00003.gguf`.
package struct GGUFShardName {
  private let prefix: String
  package let count: Int

  /// - Returns: nil when the name has not that form.
  init?(_ path: FilePath) {
    let parts = (path.stem ?? "").split(separator: "-", omittingEmptySubsequences: false)
    guard path.extension == "gguf", parts.count >= 4, parts[parts.count - 2] == "of",
      let number = Int(parts[parts.count - 3]), let count = Int(parts[parts.count - 1]),
      1...count ~= number, parts[parts.count - 3] == Self.digits(number),
      parts[parts.count - 1] == Self.digits(count)
    else { return nil }
    prefix = parts.dropLast(3).joined(separator: "-")
    self.count = count
  }

  /// The names of the parts of what would be `name` in one file.
  package init(splitting name: String, count: Int) {
    prefix = FilePath(name).stem ?? name
    self.count = count
  }

  /// The name of a file.
  ///
  /// - Parameter number: from 0.
  package func name(number: Int) -> String {
    "\(prefix)-\(Self.digits(number + 1))-of-\(Self.digits(count)).gguf"
  }

  /// A number in five digits.
  static func digits(_ number: Int) -> Substring {
    let text = "\(number)"
    return Substring(String(repeating: "0", count: max(0, 5 - text.count)) + text)
  }
}
