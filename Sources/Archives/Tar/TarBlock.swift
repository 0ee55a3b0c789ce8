/// A header block of a tar archive as read: not yet believed, checked here.
struct TarBlock {
  enum Kind: Equatable {
    case file
    /// `pax` records about the entry that follows.
    case records
    case folder
    /// Anything else that tar knows, in words.
    case other(String)
  }

  let kind: Kind
  let name: String
  let byteCount: Int

  /// Reads a block, which is not the zeros of an archive's end.
  init(_ block: [UInt8]) throws(ArchiveDefect) {
    precondition(block.count == TarHeader.blockByteCount, "Not a block")
    guard Array(block[257..<262]) == Array("ustar".utf8) else {
      throw ArchiveDefect(problem: "holds something that is no tar header")
    }
    // The checksum is the sum of all bytes with its own field as eight spaces.
    let own = block[148..<156].reduce(0) { $0 + Int($1) }
    let stated = try Self.octal(block[148..<156])
    guard TarHeader.checksum(of: block) - own + 8 * 0x20 == stated else {
      throw ArchiveDefect(problem: "holds a tar header whose checksum is wrong")
    }
    let prefix = try Self.text(block[345..<500])
    let name = try Self.text(block[0..<100])
    self.name = prefix.isEmpty ? name : "\(prefix)/\(name)"
    byteCount = try Self.octal(block[124..<136])
    kind =
      switch Unicode.Scalar(block[156]) {
      case "0", "\u{0}": .file
      case "x": .records
      case "1": .other("a hard link")
      case "2": .other("a symbolic link")
      case "3", "4", "6": .other("a device")
      case "5": .folder
      default: .other("of a kind that is no file")
      }
  }

  private static func text(_ field: ArraySlice<UInt8>) throws(ArchiveDefect) -> String {
    guard let text = String(validating: field.prefix { $0 != 0 }, as: UTF8.self) else {
      throw ArchiveDefect(problem: "holds a name that is not UTF-8")
    }
    return text
  }

  private static func octal(_ field: ArraySlice<UInt8>) throws(ArchiveDefect) -> Int {
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    guard let value = Int(String(decoding: digits, as: UTF8.self), radix: 8), value >= 0 else {
      throw ArchiveDefect(problem: "holds a tar header with a field that is no octal number")
    }
    return value
  }

  /// The entry that follows `records`, whose name and size they may replace.
  func applying(_ records: [UInt8]) throws(ArchiveDefect) -> TarHeader {
    var header = TarHeader(name: name, byteCount: byteCount)
    var rest = records[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0 != 0x20 }
      guard let length = Int(String(decoding: digits, as: UTF8.self)), length <= rest.count,
        length > digits.count + 1, rest[rest.startIndex + length - 1] == 0x0A,
        let record = String(
          validating: rest.prefix(length - 1).dropFirst(digits.count + 1), as: UTF8.self),
        let equals = record.firstIndex(of: "=")
      else { throw ArchiveDefect(problem: "holds pax records that cannot be read") }
      let value = String(record[record.index(after: equals)...])
      switch record[..<equals] {
      case "path": header.name = value
      case "size":
        guard let size = Int(value), size >= 0 else {
          throw ArchiveDefect(problem: "holds pax records that cannot be read")
        }
        header.byteCount = size
      // Its contents would be parts of the file with a map of where they belong.
      case let key where key.hasPrefix("GNU.sparse."):
        throw ArchiveDefect(problem: "holds a sparse file")
      default: break  // times, owners and comments change nothing here
      }
      rest = rest.dropFirst(length)
    }
    return header
  }
}
