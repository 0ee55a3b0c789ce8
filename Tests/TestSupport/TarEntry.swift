import Archives

/// An entry of a tar archive, as an attacker may write it.
public struct TarEntry: Sendable {
  public var name: String
  public var contents: [UInt8]
  /// The size in the header, when it is not that of the contents.
  public var statedByteCount: Int?
  public var type: Unicode.Scalar = "0"

  public init(
    _ name: String, _ contents: String, statedByteCount: Int? = nil, type: Unicode.Scalar = "0"
  ) {
    self.name = name
    self.contents = Array(contents.utf8)
    self.statedByteCount = statedByteCount
    self.type = type
  }

  public var bytes: [UInt8] {
    let header = TarHeader(name: name, byteCount: statedByteCount ?? contents.count)
    var blocks = header.blocks
    if type != "0" {
      blocks[156] = UInt8(type.value)
      // The checksum counts its own field as eight spaces.
      blocks.replaceSubrange(148..<156, with: "        ".utf8)
      let digits = String(TarHeader.checksum(of: blocks), radix: 8)
      blocks.replaceSubrange(148..<148 + digits.utf8.count, with: digits.utf8)
    }
    return blocks + contents + Array(repeating: 0, count: TarHeader.padding(after: contents.count))
  }
}
