/// One entry of a tar archive: a file's name and size, and the blocks that say so.
///
/// Everything else a tar header can hold (times, owners, modes) is constant, so that the same
/// files always make the same archive. The form is POSIX `ustar`; a name of over 100 bytes or a
/// size of 8 GiB and more goes into a `pax` record before it, which every tar program reads.
package struct TarHeader: Equatable {
  package static let blockByteCount = 512
  /// Two blocks of zeros end an archive.
  package static let endByteCount = 2 * blockByteCount
  /// What eleven octal digits can say.
  package static let maximumOctalSize = 0o777_7777_7777

  package var name: String
  package var byteCount: Int

  package init(name: String, byteCount: Int) {
    self.name = name
    self.byteCount = byteCount
  }

  /// Zero bytes that fill up the last block of the file's contents.
  package var paddingByteCount: Int { Self.padding(after: byteCount) }

  package static func padding(after byteCount: Int) -> Int {
    (blockByteCount - byteCount % blockByteCount) % blockByteCount
  }

  /// The header, one block or three.
  package var blocks: [UInt8] {
    var records: [UInt8] = []
    if name.utf8.count > 100 { records += Self.paxRecord("path", name) }
    if byteCount > Self.maximumOctalSize { records += Self.paxRecord("size", "\(byteCount)") }
    let own = Self.block(
      name: name.utf8.prefix(100), byteCount: min(byteCount, Self.maximumOctalSize), type: "0")
    if records.isEmpty { return own }
    let pax = Self.block(name: "PaxHeader".utf8.prefix(100), byteCount: records.count, type: "x")
    return pax + records + Array(repeating: 0, count: Self.padding(after: records.count)) + own
  }

  private static func block(
    name: Substring.UTF8View, byteCount: Int, type: Unicode.Scalar
  ) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: blockByteCount)
    func put(_ bytes: some Sequence<UInt8>, at offset: Int) {
      for (index, byte) in bytes.enumerated() { block[offset + index] = byte }
    }
    put(name, at: 0)
    put("0000644".utf8, at: 100)  // mode
    put("0000000".utf8, at: 108)  // owner
    put("0000000".utf8, at: 116)  // group
    put(octal(byteCount, digits: 11), at: 124)
    put("00000000000".utf8, at: 136)  // time
    put("        ".utf8, at: 148)  // the checksum counts its own field as spaces
    put(CollectionOfOne(UInt8(ascii: type)), at: 156)
    put("ustar\u{0}00".utf8, at: 257)
    put("0000000".utf8, at: 329)  // device, major
    put("0000000".utf8, at: 337)  // device, minor
    put(octal(checksum(of: block), digits: 6) + [0], at: 148)
    return block
  }

  package static func checksum(of block: [UInt8]) -> Int { block.reduce(0) { $0 + Int($1) } }

  private static func octal(_ value: Int, digits: Int) -> [UInt8] {
    let text = Array(String(value, radix: 8).utf8)
    return Array(repeating: UInt8(ascii: "0"), count: digits - text.count) + text
  }

  /// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
  private static func paxRecord(_ key: String, _ value: String) -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var length = rest.utf8.count + 1
    while "\(length)".utf8.count + rest.utf8.count != length { length += 1 }
    return Array("\(length)\(rest)".utf8)
  }
}
