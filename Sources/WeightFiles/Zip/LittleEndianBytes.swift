extension Span<UInt8> {
  /// The unsigned little-endian number in the `byteCount` bytes at `offset`.
  ///
  /// - Precondition: the bytes are inside the span, and there are at most 8.
  func unsigned(_ byteCount: Int, at offset: Int) -> UInt64 {
    (0..<byteCount).reduce(0) { $0 | UInt64(self[offset + $1]) << (8 * $1) }
  }

  /// The bytes of `range` as text, or nil when they are not UTF-8.
  ///
  /// - Precondition: the range is inside the span.
  func text(in range: Range<Int>) -> String? {
    String(validating: range.map { self[$0] }, as: UTF8.self)
  }
}
