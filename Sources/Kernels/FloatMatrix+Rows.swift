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
  public var isFinite: Bool {
    let elements = elements
    return elements.indices.allSatisfy { elements[$0].isFinite }
  }
}
