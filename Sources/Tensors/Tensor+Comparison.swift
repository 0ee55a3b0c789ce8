#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Tensor {
  /// Whether the bytes of both are the same, whatever they mean.
  package func hasSameBytes(as other: Tensor) -> Bool {
    guard byteCount == other.byteCount else { return false }
    return unsafe bytes.withUnsafeBytes { mine in
      unsafe other.bytes.withUnsafeBytes { theirs in
        guard let mine = mine.baseAddress, let theirs = theirs.baseAddress else { return true }
        return unsafe memcmp(mine, theirs, byteCount) == 0
      }
    }
  }

  /// Whether every byte is zero; a negative zero counts as something.
  package var isAllZero: Bool {
    let elements = Span<UInt8>(_bytes: bytes)
    return elements.indices.allSatisfy { elements[$0] == 0 }
  }
}
