import Files

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

  init(count: Int, repeating element: Element) {
    precondition(count >= 0, "Negative count")
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count * MemoryLayout<Element>.stride), alignment: 64)
    unsafe pointer = bytes.initializeMemory(as: Element.self, repeating: element, count: count)
    self.count = count
  }

  deinit { unsafe pointer.deallocate() }

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
