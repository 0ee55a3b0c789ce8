extension FloatMatrix {
  /// Copies rows behind those in use.
  ///
  /// - Precondition: there is room for them, and they have as many columns.
  public mutating func append(_ rows: borrowing FloatMatrix) {
    let first = rowCount
    rowCount += rows.rowCount
    for row in 0..<rows.rowCount { setRow(first + row, to: rows[row]) }
  }

  /// Replaces the elements of one row.
  public mutating func setRow(_ row: Int, to elements: Span<Float>) {
    precondition(elements.count == columnCount, "Column counts differ")
    var destination = mutableRow(row)
    for column in elements.indices { destination[column] = elements[column] }
  }

  /// Replaces a row by a row of another matrix, or by a range of its columns.
  package mutating func setRow(
    _ row: Int, to other: Int, of matrix: borrowing FloatMatrix, columns: Range<Int>? = nil
  ) {
    let elements = matrix[other]
    setRow(row, to: elements.extracting(columns ?? elements.indices))
  }

  /// A matrix of its own with the same rows.
  public func copy() -> FloatMatrix {
    var copy = FloatMatrix(rowCapacity: rowCount, columnCount: columnCount)
    copy.rowCount = 0
    copy.append(self)
    return copy
  }

  /// Moves the last row to the front and drops the others.
  public mutating func keepLastRow() {
    let last = rowCount - 1
    for column in 0..<columnCount {
      let value = self[last][column]
      var first = mutableRow(0)
      first[column] = value
    }
    rowCount = 1
  }

  /// Whether no element is NaN or infinite.
  public var isFinite: Bool { elements.isFinite }
}

extension Span<Float> {
  /// Whether no element is NaN or infinite.
  public var isFinite: Bool { largestMagnitude.isFinite }

  /// The largest magnitude, infinity or NaN when there is one; 0 without elements.
  var largestMagnitude: Float {
    // Without its sign a float is ordered as its bits are, infinity and NaN behind all numbers.
    var largest: Int32 = 0
    for index in indices {
      largest = max(largest, Int32(truncatingIfNeeded: self[index].bitPattern & 0x7FFF_FFFF))
    }
    return Float(bitPattern: UInt32(largest))
  }
}
