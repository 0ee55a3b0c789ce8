/// Sizes beyond which a header is an attack, not a model, and what a name may be.
///
/// A file can only make a reader work as hard as it is long, since every value is in it; these
/// bounds are for what costs more in memory than in the file.
enum GGUFLimits {
  /// Preamble, metadata and tensor infos.
  ///
  /// The largest vocabularies need 20 MB, with a copy of their
  /// `tokenizer.json` 60 MB; the same limit as a safetensors header has.
  static let headerByteCount = 100_000_000
  /// A key of one letter with a one-byte value is 14 bytes in a file and a hundred in memory.
  static let keyCount = 65_536
  /// The same for tensors: 33 bytes in a file.
  ///
  /// The largest models have a few thousand.
  static let tensorCount = 65_536
  /// Two of a billion empty strings would be 8 GB to walk through; vocabularies have 300,000 tokens
  /// and 600,000 merges.
  static let arrayElementCount = 1 << 22
  /// The format's own limit.
  static let keyByteCount = 65_535
  /// ggml's fields have 64 bytes with the zero at the end.
  static let nameByteCount = 63
  /// ggml's tensors have four axes.
  static let rank = 4
  /// Greater than any page; a file could otherwise be one tensor and gigabytes of nothing.
  static let alignment = 65_536

  /// What keeps `key` from being a key, as the end of a sentence; nil when nothing does.
  static func defect(ofKey key: String) -> String? {
    if key.isEmpty { return "is empty" }
    if key.utf8.count > keyByteCount {
      return "is \(key.utf8.count) bytes long, expected at most \(keyByteCount)"
    }
    return key.utf8.contains(where: isControl) ? "holds a control character" : nil
  }

  /// What keeps `name` from being the name of a tensor; nil when nothing does.
  static func defect(ofName name: String) -> String? {
    if name.isEmpty { return "is empty" }
    if name.utf8.count > nameByteCount {
      return "is \(name.utf8.count) bytes long, expected at most \(nameByteCount)"
    }
    // Some tools make files of tensors; a separator could lead out of their folder.
    if name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
      return "holds a path separator"
    }
    return name.utf8.contains(where: isControl) ? "holds a control character" : nil
  }

  private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F }
}
