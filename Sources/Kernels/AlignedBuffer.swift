import Files

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Mutable memory aligned to a cache line: the storage of every matrix.
///
/// Each buffer belongs to one noncopyable value, whose exclusive access is what makes writing safe;
/// hence the unchecked `Sendable`. It is a class and no struct with a `deinit` because Swift 6.3
/// cannot compile the end of such a struct inside setters that it offers to other modules
/// ("function has wrong linkage").
@safe final class AlignedBuffer<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  let count: Int

  /// The first element; the memory never moves.
  @unsafe let pointer: UnsafeMutablePointer<Element>

  private nonisolated(unsafe) let allocation: UnsafeMutableRawPointer

  private static var alignment: Int { 64 }

  /// `count` elements of zero bytes.
  ///
  /// The zeros of a large buffer come from the system page by page, when they are first touched:
  /// what is never used costs neither memory nor time.
  init(count: Int) {
    precondition(count >= 0, "Negative count")
    let (byteCount, overflows) = count.multipliedReportingOverflow(
      by: MemoryLayout<Element>.stride)
    precondition(!overflows, "Count out of bounds")
    // The C library hands fresh pages out as they are, but has no call that also aligns them.
    guard let allocation = unsafe calloc(1, byteCount + Self.alignment) else {
      fatalError("Out of memory: \(byteCount) bytes could not be had")
    }
    unsafe self.allocation = allocation
    unsafe pointer = allocation.alignedUp(toMultipleOf: Self.alignment)
      .bindMemory(to: Element.self, capacity: count)
    self.count = count
  }

  deinit { unsafe free(allocation) }

  /// Part of the elements.
  @_lifetime(borrow self)
  func span(_ range: Range<Int>) -> Span<Element> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "Range out of bounds")
    let span = unsafe Span(_unsafeStart: pointer + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// Part of the elements, to be written; the caller ties it to the owner's exclusive access.
  @unsafe @_lifetime(borrow self)
  func mutableSpan(_ range: Range<Int>) -> MutableSpan<Element> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "Range out of bounds")
    let span = unsafe MutableSpan(_unsafeStart: pointer + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }
}
