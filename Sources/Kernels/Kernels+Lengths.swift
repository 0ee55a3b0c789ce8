import CKernels
import Synchronization
public import Tensors

// Lengths of rows and of whole matrices (L2, Frobenius), summed in double precision: what DoRA needs,
// and what a merge reports.
extension Kernels {
  /// The length of every row, `[rows]`.
  package func rowLengths(of x: borrowing FloatMatrix) -> [Float] {
    let columns = x.columnCount
    nonisolated(unsafe) let source = unsafe x.pointer
    return unsafe [Float](unsafeUninitializedCapacity: x.rowCount) { lengths, count in
      nonisolated(unsafe) let out = unsafe lengths
      pool.parallelFor(count: x.rowCount, grain: Self.grain(cost: columns)) { rows in
        for row in rows {
          let sum = unsafe Self.sumOfSquares(source + row * columns, count: columns)
          unsafe out[row] = Float(sum.squareRoot())
        }
      }
      count = x.rowCount
    }
  }

  /// Adds the squares of every column to `sums`, `[columns]`, row after row.
  package func addSquaresOfColumns(of x: borrowing FloatMatrix, to sums: inout [Double]) {
    precondition(sums.count == x.columnCount, "Column counts differ")
    for row in 0..<x.rowCount {
      let elements = x[row]
      for column in elements.indices { sums[column] += Double(elements[column] * elements[column]) }
    }
  }

  /// x[i] *= factors[i], row by row; factors is float32 `[rows]`.
  package func scaleRows(of x: inout FloatMatrix, by factors: Tensor) {
    precondition(factors.shape == [x.rowCount], "Factors do not fit the rows")
    let columns = x.columnCount, scale = unsafe table.pointee.scale
    nonisolated(unsafe) let out = unsafe x.mutablePointer
    unsafe factors.withBaseAddress { base in
      nonisolated(unsafe) let factors = unsafe base.assumingMemoryBound(to: Float.self)
      pool.parallelFor(count: x.rowCount, grain: Self.grain(cost: columns)) { rows in
        for row in rows { unsafe scale(out + row * columns, factors[row], columns) }
      }
    }
  }

  /// x[i][j] *= factors[j]; factors is float32 `[columns]`.
  public func scaleColumns(of x: inout FloatMatrix, by factors: Tensor) {
    precondition(factors.shape == [x.columnCount], "Factors do not fit the columns")
    let columns = x.columnCount
    nonisolated(unsafe) let out = unsafe x.mutablePointer
    unsafe factors.withBaseAddress { base in
      nonisolated(unsafe) let factors = unsafe base.assumingMemoryBound(to: Float.self)
      pool.parallelFor(count: x.rowCount, grain: Self.grain(cost: columns)) { rows in
        for row in rows {
          let row = unsafe out + row * columns
          for column in 0..<columns { unsafe row[column] *= factors[column] }
        }
      }
    }
  }

  /// `total + Σ x[i]²`, row after row, so that a matrix measured in pieces gives the same digits.
  package func sumOfSquares(of x: borrowing FloatMatrix, addedTo total: Double = 0) -> Double {
    nonisolated(unsafe) let source = unsafe x.pointer
    return sum(over: x.rowCount, columns: x.columnCount, addedTo: total) { first, count in
      unsafe Kernels.sumOfSquares(source + first, count: count)
    }
  }

  /// `total + Σ (x[i] − y[i])²`, in the same order.
  package func sumOfSquaredDifferences(
    between x: borrowing FloatMatrix, and y: borrowing FloatMatrix, addedTo total: Double = 0
  ) -> Double {
    precondition(x.rowCount == y.rowCount && x.columnCount == y.columnCount, "Shapes differ")
    nonisolated(unsafe) let a = unsafe x.pointer
    nonisolated(unsafe) let b = unsafe y.pointer
    return sum(over: x.rowCount, columns: x.columnCount, addedTo: total) { first, count in
      var sum = 0.0
      for i in first..<first + count {
        let difference = unsafe Double(a[i] - b[i])
        sum += difference * difference
      }
      return sum
    }
  }

  /// ‖B · A‖ of two float32 factors `[out, r]` and `[r, in]`, without making the product:
  /// `‖B · A‖² = Σ (BᵀB) ⊙ (AAᵀ)`.
  package func productLength(_ b: Tensor, _ a: Tensor) -> Double {
    let rank = a.shape[0]
    let left = floats(of: b), right = floats(of: a)
    var bGram = [Double](repeating: 0, count: rank * rank)
    for row in 0..<left.rowCount {
      let elements = left[row]
      for i in 0..<rank {
        for j in 0..<rank { bGram[i * rank + j] += Double(elements[i]) * Double(elements[j]) }
      }
    }
    var sum = 0.0
    for i in 0..<rank {
      for j in 0..<rank {
        var product = 0.0
        let x = right[i], y = right[j]
        for column in x.indices { product += Double(x[column]) * Double(y[column]) }
        sum += bGram[i * rank + j] * product
      }
    }
    // A product that is zero can come out a rounding below it.
    return max(sum, 0).squareRoot()
  }

  /// Rounds every element to what `type` can hold: F16 or BF16.
  package func round(_ x: inout FloatMatrix, to type: ElementType) {
    x = floats(of: tensor(x, shape: [x.rowCount, x.columnCount], as: type))
  }

  /// The sum of what `body` gives for the elements of each row, `(first, count)`.
  private func sum(
    over rowCount: Int, columns: Int, addedTo total: Double,
    _ body: @Sendable (Int, Int) -> Double
  ) -> Double {
    let sums = Mutex<[Double]>(Array(repeating: 0, count: rowCount))
    pool.parallelFor(count: rowCount, grain: Self.grain(cost: columns)) { rows in
      let partial = rows.map { body($0 * columns, columns) }
      sums.withLock { $0.replaceSubrange(rows, with: partial) }
    }
    // Row by row, whatever the threads did, so that the same merge reports the same digits.
    return sums.withLock { $0.reduce(total, +) }
  }
}

extension Kernels {
  /// Σ x[i]², in four chains that a processor can run side by side.
  fileprivate static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var sums = (0.0, 0.0, 0.0, 0.0)
    var i = 0
    while i + 4 <= count {
      let (a, b, c, d) = unsafe (Double(x[i]), Double(x[i + 1]), Double(x[i + 2]), Double(x[i + 3]))
      sums = (sums.0 + a * a, sums.1 + b * b, sums.2 + c * c, sums.3 + d * d)
      i += 4
    }
    while i < count {
      sums.0 += unsafe Double(x[i]) * Double(x[i])
      i += 1
    }
    return sums.0 + sums.1 + (sums.2 + sums.3)
  }
}
