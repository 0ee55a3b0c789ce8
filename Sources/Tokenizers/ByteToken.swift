/// Tokens such as `<0x0A>` that stand for one byte.
enum ByteToken {
  private static let prefix = Array("<0x".utf8)
  private static let digits = Array("0123456789ABCDEF".utf8)

  /// The spelling of a byte.
  static func bytes(of byte: UInt8) -> [UInt8] {
    prefix + [digits[Int(byte >> 4)], digits[Int(byte & 15)], UInt8(ascii: ">")]
  }

  /// The byte that a token stands for, or nil when it is ordinary text.
  static func byte(of token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: prefix), token[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }
}
