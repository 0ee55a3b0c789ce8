import Files

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory filled once, then shared and never changed; aligned to a cache line.
@safe package final class OwnedBytes: Sendable {
  package let byteCount: Int
  private nonisolated(unsafe) let base: UnsafeMutableRawPointer

  /// Allocates `byteCount` zero bytes and lets `fill` write them.
  package init<Failure: Error>(
    byteCount: Int, filledBy fill: (inout MutableRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    self.byteCount = byteCount
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    var span = unsafe MutableRawSpan(_unsafeStart: base, byteCount: byteCount)
    try fill(&span)
  }

  deinit { unsafe base.deallocate() }

  package var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
