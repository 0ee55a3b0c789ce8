import Files

/// A row-major float32 matrix with room for a fixed number of rows.
///
/// It has one owner, so that what a layer writes nobody else reads by accident; memory is taken
/// once, at the start of a session, and rows come and go by changing `rowCount`.
public struct FloatMatrix: ~Copyable, Sendable {
  public private(set) var rowCapacity: Int
  public private(set) var columnCount: Int

  /// Rows in use; those beyond keep whatever they held.
  public var rowCount: Int {
    didSet { precondition(0...rowCapacity ~= rowCount, "Row count out of bounds") }
  }

  private let buffer: AlignedBuffer<Float>

  /// A matrix of zeros that uses all of its rows.
  public init(rowCapacity: Int, columnCount: Int) {
    precondition(rowCapacity >= 0 && columnCount >= 0, "Negative extent")
    self.rowCapacity = rowCapacity
    self.columnCount = columnCount
    rowCount = rowCapacity
    buffer = AlignedBuffer(count: rowCapacity * columnCount)
  }

  /// Gives the memory another shape, whose elements are whatever it held.
  ///
  /// - Precondition: the memory is large enough.
  package mutating func reshape(rowCount: Int, columnCount: Int) {
    precondition(rowCount >= 0 && columnCount > 0, "Extent out of bounds")
    precondition(rowCount * columnCount <= buffer.count, "Matrix too small")
    self.columnCount = columnCount
    rowCapacity = buffer.count / columnCount
    self.rowCount = rowCount
  }

  /// The elements of one row.
  public subscript(row: Int) -> Span<Float> {
    @_lifetime(borrow self)
    get {
      let span = buffer.span(elementRange(ofRow: row))
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The elements of one row, to be written.
  @_lifetime(&self)
  public mutating func mutableRow(_ row: Int) -> MutableSpan<Float> {
    let buffer = buffer, range = elementRange(ofRow: row)
    let span = unsafe buffer.mutableSpan(range)
    return unsafe _overrideLifetime(span, mutating: &self)
  }

  /// All rows in use, one after the other.
  public var elements: Span<Float> {
    @_lifetime(borrow self)
    get {
      let span = buffer.span(0..<rowCount * columnCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// All rows in use, to be written.
  public var mutableElements: MutableSpan<Float> {
    @_lifetime(&self)
    mutating get {
      let buffer = buffer, range = 0..<rowCount * columnCount
      let span = unsafe buffer.mutableSpan(range)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }

  private func elementRange(ofRow row: Int) -> Range<Int> {
    precondition(0..<rowCount ~= row, "Row out of bounds")
    return row * columnCount..<(row + 1) * columnCount
  }

  /// The first element, for calls into C.
  @unsafe var pointer: UnsafePointer<Float> { unsafe UnsafePointer(buffer.pointer) }

  /// The first element, for calls into C that write.
  @unsafe var mutablePointer: UnsafeMutablePointer<Float> {
    mutating get { unsafe buffer.pointer }
  }
}
