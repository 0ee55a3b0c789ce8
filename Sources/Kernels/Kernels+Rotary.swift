import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// Rotary embedding in the half-split form, where element i of a head turns with element
// i + headDimension / 2. All layers turn a row by the same angles, so they are computed once.
extension Kernels {
  /// Writes the cosines and sines that rotate rows at consecutive positions, cosines first.
  ///
  /// Angles are float32 products of position and frequency, as transformers computes them, so that
  /// the rounding of an angle at a far position is the same; sine and cosine are of that angle.
  ///
  /// - Parameters:
  ///   - rows: the rows to write; the first is at `firstPosition`.
  ///   - inverseFrequencies: radians a position, [headDimension / 2].
  ///   - attentionFactor: multiplies sine and cosine; 1 unless the scaling of the model says so.
  ///   - rotations: [rows, headDimension].
  public func writeRotations(
    _ rows: Range<Int>, firstPosition: Int, inverseFrequencies: [Float], attentionFactor: Float,
    into rotations: inout FloatMatrix
  ) {
    let half = inverseFrequencies.count
    precondition(rotations.columnCount == 2 * half, "Frequency count does not fit the head")
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= rotations.rowCount, "Row out of bounds")
    for row in rows {
      let position = Float(firstPosition + row - rows.lowerBound)
      var rotation = rotations.mutableRow(row)
      for i in 0..<half {
        let angle = position * inverseFrequencies[i]
        rotation[i] = cosf(angle) * attentionFactor
        rotation[half + i] = sinf(angle) * attentionFactor
      }
    }
  }

  /// Rotates every head of every row.
  ///
  /// - Parameters:
  ///   - x: [rows, heads · headDimension].
  ///   - rotations: cosines and sines of each row, [rows, headDimension].
  public func rotate(_ x: inout FloatMatrix, by rotations: borrowing FloatMatrix) {
    let columns = x.columnCount, headDimension = rotations.columnCount
    precondition(headDimension > 0 && headDimension % 2 == 0, "Head dimension is odd")
    precondition(columns % headDimension == 0, "Columns are no whole number of heads")
    precondition(rotations.rowCount == x.rowCount, "Row counts differ")
    let rotate = unsafe table.pointee.rotate
    nonisolated(unsafe) let out = unsafe x.mutablePointer
    nonisolated(unsafe) let angles = unsafe rotations.pointer
    pool.parallelFor(count: x.rowCount, grain: Self.grain(cost: columns)) { rows in
      for row in rows {
        let cosines = unsafe angles + row * headDimension
        unsafe rotate(
          out + row * columns, cosines, cosines + headDimension / 2, columns / headDimension,
          headDimension)
      }
    }
  }
}
