extension TensorInfo {
  /// Rows that a range can name: those of a matrix; anything else is a single row.
  package var rowCount: Int { shape.rowCount }

  /// What the first row of a range has to be a multiple of: grouped types are laid out in panels.
  package var rowMultiple: Int { elementType.isGrouped ? GroupedLayout.panelRowCount : 1 }

  /// The same tensor with other rows.
  package func withRowCount(_ count: Int) -> TensorInfo {
    TensorInfo(name: name, shape: shape.withRowCount(count), elementType: elementType)
  }
}

/// The smallest number that is a multiple of both.
package func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
  var (x, y) = (a, b)
  while y != 0 { (x, y) = (y, x % y) }
  return x == 0 ? 0 : a / x * b
}

extension Shape {
  var rowCount: Int { rank == 2 ? self[0] : 1 }

  /// The shape of as many rows; itself when it is no matrix.
  func withRowCount(_ count: Int) -> Shape { rank == 2 ? [count, self[1]] : self }
}

extension Tensor {
  package var rowCount: Int { shape.rowCount }

  /// A range of rows, without a copy.
  ///
  /// - Precondition: the range is in bounds and, in a grouped type, begins with a panel and ends with
  ///   one or with the last row.
  package func rows(_ rows: Range<Int>) -> Tensor {
    if rows == 0..<rowCount { return self }
    precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "Row out of bounds")
    let part = shape.withRowCount(rows.count)
    guard elementType.isGrouped else {
      let rowByteCount = byteCount / rowCount
      return self.part(
        rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount, shape: part)
    }
    let panelRowCount = GroupedLayout.panelRowCount
    precondition(
      rows.lowerBound.isMultiple(of: panelRowCount)
        && (rows.upperBound.isMultiple(of: panelRowCount) || rows.upperBound == rowCount),
      "Rows are no whole panels")
    guard let layout = GroupedLayout(elementType, shape: part) else {
      preconditionFailure("Element type cannot have the shape")
    }
    let start = rows.lowerBound / panelRowCount * layout.panelByteCount
    return self.part(start..<start + layout.byteCount, shape: part)
  }
}
