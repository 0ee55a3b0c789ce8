/// GPT-2's way to write any byte as one visible character.
///
/// Byte-level vocabularies store text in these characters: bytes that print in Latin-1 stand for
/// themselves, the other 68 take the characters from U+0100 on, in order. A space becomes `Ġ`.
enum ByteAlphabet {
  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next) ?? "\u{FFFD}"
      }
    }
  }()

  /// The UTF-8 form of each byte's character.
  private static let encodings: [[UInt8]] = scalars.map { Array(String($0).utf8) }

  /// The byte of each character, at the index of the character's code.
  private static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 0x100 + 68)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = UInt8(byte) }
    return bytes
  }()

  /// Appends the characters of `text`'s bytes, in UTF-8.
  static func encode(_ text: Span<UInt8>, into result: inout [UInt8]) {
    let encodings = encodings
    for index in text.indices { result += encodings[Int(text[index])] }
  }

  /// The bytes that a token of the vocabulary stands for.
  ///
  /// A token with any character outside the alphabet is an added token, written as plain text.
  static func decode(_ token: [UInt8]) -> [UInt8] {
    let span = token.span
    var result: [UInt8] = []
    var offset = 0
    while offset < span.count {
      let (scalar, width) = span.scalar(at: offset)
      guard scalar.value < bytes.count, let byte = bytes[Int(scalar.value)] else { return token }
      result.append(byte)
      offset += width
    }
    return result
  }
}
