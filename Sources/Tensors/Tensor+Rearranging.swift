extension Tensor {
  /// The tensor whose row i is row `source(i)` of this one; for a vector, its elements.
  ///
  /// - Precondition: the tensor has an axis, its type is not grouped, and each row is whole bytes
  ///   and in bounds.
  package func withRows(from source: (Int) -> Int) -> Tensor {
    precondition(shape.rank >= 1 && !elementType.isGrouped, "Tensor without rows")
    let rowCount = shape[0]
    let rowByteCount = rowCount == 0 ? 0 : byteCount / rowCount
    precondition(rowByteCount * rowCount == byteCount, "Rows are not whole bytes")
    return unsafe bytes.withUnsafeBytes { original in
      Tensor(shape: shape, elementType: elementType) { copy in
        unsafe copy.withUnsafeMutableBytes { copy in
          for row in 0..<rowCount {
            let start = source(row)
            precondition(0..<rowCount ~= start, "Row out of bounds")
            let bytes = unsafe UnsafeRawBufferPointer(
              rebasing: original[start * rowByteCount..<(start + 1) * rowByteCount])
            unsafe UnsafeMutableRawBufferPointer(
              rebasing: copy[row * rowByteCount..<(row + 1) * rowByteCount]
            ).copyMemory(from: bytes)
          }
        }
      }
    }
  }

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

  /// The rows of float32 matrices below one another.
  ///
  /// - Precondition: there is one at least, and all are float32 with the same number of columns.
  package init(stacking matrices: [Tensor]) {
    let columnCount = matrices[0].shape[1]
    let rowCount = matrices.reduce(0) { $0 + $1.shape[0] }
    self.init(shape: [rowCount, columnCount], elementType: .float32) { bytes in
      var offset = 0
      for matrix in matrices {
        precondition(matrix.shape[1] == columnCount, "Column counts differ")
        let elements = matrix.floatElements
        for index in elements.indices {
          bytes.storeBytes(of: elements[index], toByteOffset: offset, as: Float.self)
          offset += MemoryLayout<Float>.size
        }
      }
    }
  }

  /// The same elements under another shape.
  ///
  /// - Precondition: it has as many elements, the type is not grouped, and rows of blocks stay whole
  ///   blocks.
  package func reshaped(to shape: Shape) -> Tensor {
    precondition(
      shape.elementCount == self.shape.elementCount && !elementType.isGrouped
        && elementType.byteCount(of: shape) == byteCount,
      "Element counts differ")
    return Tensor(self, shape: shape)
  }
}
