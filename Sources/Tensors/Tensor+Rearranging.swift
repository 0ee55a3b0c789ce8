extension Tensor {
  /// The matrix with rows and columns exchanged.
  ///
  /// - Precondition: it is a float32 matrix.
  package var transposed: Tensor {
    precondition(elementType == .float32 && shape.rank == 2, "Not a float32 matrix")
    let rowCount = shape[0], columnCount = shape[1]
    let elements = floatElements
    return Tensor(shape: [columnCount, rowCount], elementType: .float32) { bytes in
      for row in 0..<rowCount {
        for column in 0..<columnCount {
          bytes.storeBytes(
            of: elements[row * columnCount + column],
            toByteOffset: (column * rowCount + row) * MemoryLayout<Float>.size, as: Float.self)
        }
      }
    }
  }

  /// The same elements under another shape.
  ///
  /// - Precondition: it has as many elements, and the type is not grouped.
  package func reshaped(to shape: Shape) -> Tensor {
    precondition(
      shape.elementCount == self.shape.elementCount && !elementType.isGrouped,
      "Element counts differ")
    return Tensor(self, shape: shape)
  }
}
