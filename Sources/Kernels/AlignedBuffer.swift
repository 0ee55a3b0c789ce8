import Files

/// Mutable memory with one owner, aligned to a cache line: the storage of every matrix.
///
/// It is allocated once and never grows, so a pointer into it is good for as long as the owner is.
@safe struct AlignedBuffer<Element: BitwiseCopyable & Sendable>: ~Copyable, @unchecked Sendable {
  let count: Int
  private let base: UnsafeMutablePointer<Element>

  init(count: Int, repeating element: Element) {
    precondition(count >= 0, "Negative count")
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count * MemoryLayout<Element>.stride), alignment: 64)
    unsafe base = bytes.initializeMemory(as: Element.self, repeating: element, count: count)
    self.count = count
  }

  deinit { unsafe base.deallocate() }

  /// The first element, for calls into C.
  @unsafe var pointer: UnsafePointer<Element> { unsafe UnsafePointer(base) }

  /// The first element, for calls into C that write.
  @unsafe var mutablePointer: UnsafeMutablePointer<Element> {
    mutating get { unsafe base }
  }

  var span: Span<Element> {
    @_lifetime(borrow self)
    get {
      let span = unsafe Span(_unsafeStart: base, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Part of the elements, to be written.
  @_lifetime(&self)
  mutating func mutableSpan(_ range: Range<Int>) -> MutableSpan<Element> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "Range out of bounds")
    let span = unsafe MutableSpan(_unsafeStart: base + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(span, mutating: &self)
  }
}
