extension FixedWidthInteger {
  /// The integer whose bytes, lowest first, are `bytes`.
  ///
  /// - Precondition: there are at most 8.
  init(littleEndianBytes bytes: Span<UInt8>) {
    precondition(bytes.count <= 8, "More bytes than an integer has")
    var pattern: UInt64 = 0
    for index in bytes.indices { pattern |= UInt64(bytes[index]) << (8 * index) }
    self.init(truncatingIfNeeded: pattern)
  }
}

extension [UInt8] {
  /// Appends the bytes of `value`, lowest first.
  mutating func append(littleEndian value: some FixedWidthInteger) {
    for shift in stride(from: 0, to: value.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}
