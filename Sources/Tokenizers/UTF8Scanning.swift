// Text is carried as UTF-8 bytes from the first step to the last: offsets are integers, a piece is
// a range, and equality is equality of bytes. A `String` compares by canonical equivalence, which
// would make "é" and "e" followed by an accent the same token.

extension Span<UInt8> {
  /// The scalar that begins at `offset` and the number of its bytes; the bytes must be UTF-8.
  func scalar(at offset: Int) -> (scalar: Unicode.Scalar, width: Int) {
    let first = self[offset]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    let width = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    var value = UInt32(first) & (0x7F >> UInt32(width))
    for index in offset + 1..<offset + width {
      value = value << 6 | UInt32(self[index] & 0x3F)
    }
    guard let scalar = Unicode.Scalar(value) else { preconditionFailure("Text is not UTF-8") }
    return (scalar, width)
  }

  /// The scalar that ends at `end` and the number of its bytes.
  func scalar(endingAt end: Int) -> (scalar: Unicode.Scalar, width: Int) {
    var start = end - 1
    while self[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(at: start)
  }

  /// The first place at or after `start` where `pattern` stands; an empty pattern is nowhere.
  func firstRange(of pattern: [UInt8], from start: Int) -> Range<Int>? {
    if pattern.isEmpty { return nil }
    var offset = start
    while offset <= count - pattern.count {
      if hasBytes(pattern, at: offset) { return offset..<offset + pattern.count }
      offset += 1
    }
    return nil
  }

  func hasBytes(_ pattern: [UInt8], at offset: Int) -> Bool {
    guard offset + pattern.count <= count else { return false }
    for index in pattern.indices where self[offset + index] != pattern[index] { return false }
    return true
  }
}

extension Array<UInt8> {
  init(copying span: Span<UInt8>) {
    self.init()
    append(copying: span)
  }

  mutating func append(copying span: Span<UInt8>) {
    reserveCapacity(count + span.count)
    for index in span.indices { append(span[index]) }
  }

  /// The bytes with every occurrence of `pattern`, from left to right, replaced by `content`.
  func replacing(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var rest = 0
    while let range = span.firstRange(of: pattern, from: rest) {
      result += self[rest..<range.lowerBound]
      result += content
      rest = range.upperBound
    }
    return rest == 0 ? self : result + self[rest...]
  }
}
