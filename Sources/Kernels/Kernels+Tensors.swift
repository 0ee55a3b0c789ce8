import CKernels
public import Tensors

// Between tensors, which are shared and never change, and matrices, which are worked on.
extension Kernels {
  /// output[i] = row rows[i] of `table`: the lookup of an embedding.
  ///
  /// - Parameters:
  ///   - table: a matrix of any computable type.
  ///   - output: gets as many rows as are asked for.
  public func gatherRows(_ rows: [Int], of table: Tensor, into output: inout FloatMatrix) {
    precondition(
      table.shape.rank == 2 && table.shape[1] == output.columnCount, "Column counts differ")
    precondition(rows.allSatisfy { 0..<table.shape[0] ~= $0 }, "Row out of bounds")
    output.rowCount = rows.count
    loadRows(of: table, into: &output) { rows[$0] }
  }

  /// The elements of a tensor of any computable type as float32: a matrix for a matrix, one row for
  /// a vector or a scalar.
  ///
  /// - Precondition: the rank is at most 2.
  public func floats(of tensor: Tensor) -> FloatMatrix {
    let shape = tensor.shape
    precondition(shape.rank <= 2, "Rank out of bounds")
    var matrix = FloatMatrix(
      rowCapacity: shape.rank == 2 ? shape[0] : 1,
      columnCount: shape.rank == 0 ? 1 : shape[shape.rank - 1])
    loadRows(of: tensor, into: &matrix) { $0 }
    return matrix
  }

  /// Fills row i of `output` with row `source(i)` of `tensor`.
  private func loadRows(
    of tensor: Tensor, into output: inout FloatMatrix, from source: @Sendable (Int) -> Int
  ) {
    let columns = output.columnCount, rowCount = output.rowCount
    if columns == 0 || rowCount == 0 { return }
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    unsafe withRowLoader(of: tensor, columns: columns) { load in
      pool.parallelFor(count: rowCount, grain: Self.grain(cost: columns)) { rows in
        for row in rows { unsafe load(source(row), out + row * columns) }
      }
    }
  }

  /// The elements of a matrix as a tensor of another shape and type, rounded to nearest even.
  ///
  /// - Parameters:
  ///   - shape: as many elements as `matrix` has in its rows in use.
  ///   - type: F32, F16 or BF16.
  public func tensor(
    _ matrix: borrowing FloatMatrix, shape: Shape, as type: ElementType
  ) -> Tensor {
    let count = matrix.rowCount * matrix.columnCount
    precondition(shape.elementCount == count, "Shape does not fit the matrix")
    guard let code = type.floatType, let bits = type.bitsPerElement else {
      preconditionFailure("Not a float type")
    }
    let storeFloats = unsafe table.pointee.store_floats, size = bits / 8
    nonisolated(unsafe) let source = unsafe matrix.pointer
    return Tensor(shape: shape, elementType: type) { bytes in
      unsafe bytes.withUnsafeMutableBytes { buffer in
        guard let base = buffer.baseAddress else { return }
        nonisolated(unsafe) let out = unsafe base
        pool.parallelFor(count: count, grain: Self.worthwhileWork) { range in
          unsafe storeFloats(
            code, source + range.lowerBound, range.count, out + range.lowerBound * size)
        }
      }
    }
  }
}

extension Kernels {
  /// Whether two tensors of one shape hold the same numbers, in whatever float types.
  public func areEqual(_ a: Tensor, _ b: Tensor) -> Bool {
    guard a.shape == b.shape else { return false }
    guard a.shape.rank == 2 else {
      let mine = floats(of: a), theirs = floats(of: b)
      return mine.elements.indices.allSatisfy { mine.elements[$0] == theirs.elements[$0] }
    }
    var theirs = FloatMatrix(rowCapacity: Self.comparedRowCount, columnCount: a.shape[1])
    return allBlocks(of: a) { mine, rows in
      gatherRows(rows, of: b, into: &theirs)
      return mine.elements.indices.allSatisfy { mine.elements[$0] == theirs.elements[$0] }
    }
  }

  /// Whether no element of a computable vector or matrix is NaN or infinite.
  package func isFinite(_ tensor: Tensor) -> Bool {
    guard tensor.shape.rank == 2 else { return floats(of: tensor).isFinite }
    return allBlocks(of: tensor) { block, _ in block.isFinite }
  }

  /// Rows that are looked at together, so that a large matrix never is in memory whole.
  private static let comparedRowCount = 256

  /// Whether `predicate` holds for all blocks of rows of a matrix.
  private func allBlocks(
    of matrix: Tensor, _ predicate: (borrowing FloatMatrix, _ rows: [Int]) -> Bool
  ) -> Bool {
    var block = FloatMatrix(rowCapacity: Self.comparedRowCount, columnCount: matrix.shape[1])
    for start in stride(from: 0, to: matrix.shape[0], by: Self.comparedRowCount) {
      let rows = Array(start..<min(start + Self.comparedRowCount, matrix.shape[0]))
      gatherRows(rows, of: matrix, into: &block)
      guard predicate(block, rows) else { return false }
    }
    return true
  }
}
