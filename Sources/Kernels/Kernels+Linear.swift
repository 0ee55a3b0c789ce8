import CKernels
import COpenBLAS
public import Tensors

extension Kernels {
  /// Makes ready what multiplying `weights` with `input` needs: its int8 form when any is grouped.
  ///
  /// Call it after the values have changed and before `multiply`.
  public func prepare(_ input: inout LayerInput, for weights: [Tensor]) {
    if weights.contains(where: \.elementType.isGrouped) { input.quantize(with: self) }
  }

  /// output[i] = weight · input[i], for every row of `input`.
  ///
  /// - Parameters:
  ///   - weight: [output columns, input columns]; of any computable type. Blocks become floats a row
  ///     at a time; those that `prepared(_:)` makes panels of are much faster as such.
  ///   - input: prepared for `weight` when that is grouped.
  ///   - output: gets the row count of `input`.
  public func multiply(
    _ weight: Tensor, _ input: borrowing LayerInput, into output: inout FloatMatrix
  ) {
    output.rowCount = input.rowCount
    guard weight.elementType.isGrouped else {
      multiplyFloats(weight, input.values, scale: 1, accumulate: false, into: &output)
      return
    }
    multiplyGrouped(weight, input, into: &output)
  }

  /// output[i] += scale · weight · input[i]: the second half of a low-rank update.
  ///
  /// - Parameters:
  ///   - weight: [output columns, input columns]; F32, F16 or BF16.
  ///   - output: has the row count of `input`.
  public func multiplyAdding(
    _ weight: Tensor, _ input: borrowing FloatMatrix, scale: Float, to output: inout FloatMatrix
  ) {
    precondition(output.rowCount == input.rowCount, "Row counts differ")
    multiplyFloats(weight, input, scale: scale, accumulate: true, into: &output)
  }

  private func checkShape(
    _ weight: Tensor, _ input: borrowing FloatMatrix, _ output: borrowing FloatMatrix
  ) {
    precondition(
      weight.shape == [output.columnCount, input.columnCount], "Weight does not fit its matrices")
  }

  /// - Parameter finish: called with the output columns that a thread has just computed.
  func multiplyGrouped(
    _ weight: Tensor, _ input: borrowing LayerInput, into output: inout FloatMatrix,
    finish: @Sendable (Range<Int>) -> Void = { _ in }
  ) {
    precondition(input.isQuantized, "Input was not prepared")
    checkShape(weight, input.values, output)
    let stride = output.columnCount, rowCount = input.rowCount
    let matmul = unsafe matmul(for: weight.elementType)
    nonisolated(unsafe) let activations = unsafe input.activations
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    unsafe weight.withPanels { panels in
      nonisolated(unsafe) let panels = unsafe panels
      let panelRows = FLARE_PANEL_ROWS
      pool.parallelFor(
        count: (stride + panelRows - 1) / panelRows,
        // Grouped weights are multiplied several times as fast as floats.
        grain: Self.grain(cost: rowCount * input.columnCount * panelRows / 4)
      ) { range in
        unsafe withUnsafePointer(to: panels) { panels in
          unsafe withUnsafePointer(to: activations) { activations in
            unsafe matmul(panels, activations, out, stride, range.lowerBound, range.upperBound)
          }
        }
        finish(range.lowerBound * panelRows..<min(range.upperBound * panelRows, stride))
      }
    }
  }

  /// The product of a grouped type.
  @unsafe private func matmul(for type: ElementType) -> Matmul {
    switch type {
    case .groupedInt8: unsafe table.pointee.matmul_int8
    case .groupedInt4: unsafe table.pointee.matmul_int4
    case .groupedQ4K: unsafe table.pointee.matmul_q4_k
    case .groupedQ5K: unsafe table.pointee.matmul_q5_k
    case .groupedQ6K: unsafe table.pointee.matmul_q6_k
    default: preconditionFailure("Not a grouped type")
    }
  }

  private typealias Matmul =
    @convention(c) (
      UnsafePointer<flare_panels>, UnsafePointer<flare_activations>, UnsafeMutablePointer<Float>,
      Int,
      Int, Int
    ) -> Void

  /// Rows from which turning a block of weights into floats and calling BLAS beats dot products.
  ///
  /// Below it a row of any product has the same bits however many other rows there are; grouped
  /// weights alone give them at every count.
  package static let blockwiseRowCount = 48
  /// The most rows of a pass whose bits do not depend on how many there are.
  package static let exactRowCount = blockwiseRowCount - 1
  /// Weight rows of such a block.
  private static let blockRowCount = 64

  private func multiplyFloats(
    _ weight: Tensor, _ input: borrowing FloatMatrix, scale: Float, accumulate: Bool,
    into output: inout FloatMatrix
  ) {
    checkShape(weight, input, output)
    if input.rowCount < Self.blockwiseRowCount {
      if weight.elementType.isBlocked {
        multiplyByLoadedRows(weight, input, scale: scale, accumulate: accumulate, into: &output)
        return
      }
      multiplyByDots(weight, input, scale: scale, accumulate: accumulate, into: &output)
    } else {
      multiplyByBlocks(weight, input, scale: scale, accumulate: accumulate, into: &output)
    }
  }

  /// Streams the weights once; a row of them serves all inputs while it is in the first cache.
  private func multiplyByDots(
    _ weight: Tensor, _ input: borrowing FloatMatrix, scale: Float, accumulate: Bool,
    into output: inout FloatMatrix
  ) {
    let rowCount = input.rowCount, columns = input.columnCount, stride = output.columnCount
    let type = weight.floatType, dotRows = unsafe table.pointee.dot_rows
    nonisolated(unsafe) let x = unsafe input.pointer
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    unsafe weight.withBaseAddress { base in
      nonisolated(unsafe) let base = unsafe base
      // A weight that comes from memory costs as much as several multiply-adds.
      let cost = max(rowCount, 4) * columns
      pool.parallelFor(count: stride, grain: Self.grain(cost: cost)) { range in
        for row in range {
          for i in 0..<rowCount {
            unsafe dotRows(
              type, base, x + i * columns, columns, scale, accumulate, out + i * stride, row,
              row + 1)
          }
        }
      }
    }
  }

  /// Turns one row of weights after the other into floats, which serve all inputs.
  private func multiplyByLoadedRows(
    _ weight: Tensor, _ input: borrowing FloatMatrix, scale: Float, accumulate: Bool,
    into output: inout FloatMatrix
  ) {
    let rowCount = input.rowCount, columns = input.columnCount, stride = output.columnCount
    let dotRows = unsafe table.pointee.dot_rows
    nonisolated(unsafe) let x = unsafe input.pointer
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    unsafe withRowLoader(of: weight, columns: columns) { load in
      // Turning an element into a float costs as much as some multiply-adds.
      let cost = (rowCount + 8) * columns
      pool.parallelFor(count: stride, grain: Self.grain(cost: cost)) { range in
        unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) {
          guard let scratch = $0.baseAddress else { return }
          for row in range {
            unsafe load(row, scratch)
            for i in 0..<rowCount {
              unsafe dotRows(
                FLARE_F32, scratch, x + i * columns, columns, scale, accumulate,
                out + i * stride + row, 0, 1)
            }
          }
        }
      }
    }
  }

  /// Turns blocks of weight rows into floats and lets BLAS multiply them, one block a thread.
  private func multiplyByBlocks(
    _ weight: Tensor, _ input: borrowing FloatMatrix, scale: Float, accumulate: Bool,
    into output: inout FloatMatrix
  ) {
    let rowCount = input.rowCount, columns = input.columnCount, stride = output.columnCount
    nonisolated(unsafe) let x = unsafe input.pointer
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    SingleThreadedBLAS.ensure()
    unsafe withRowLoader(of: weight, columns: columns) { load in
      pool.parallelFor(
        count: stride, grain: min(Self.blockRowCount, Self.grain(cost: rowCount * columns))
      ) { range in
        // One scratch block a range: its cost is small beside that of the product.
        let scratch = AlignedBuffer<Float>(
          count: min(range.count, Self.blockRowCount) * columns)
        for start in Swift.stride(
          from: range.lowerBound, to: range.upperBound, by: Self.blockRowCount)
        {
          let rows = min(Self.blockRowCount, range.upperBound - start)
          let block = unsafe scratch.pointer
          for row in 0..<rows { unsafe load(start + row, block + row * columns) }
          unsafe cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rowCount), Int32(rows), Int32(columns),
            scale, x, Int32(columns), block, Int32(columns), accumulate ? 1 : 0, out + start,
            Int32(stride))
        }
      }
    }
  }
}

/// OpenBLAS computes on the thread that calls it, since Flare's own threads share the work.
enum SingleThreadedBLAS {
  private static let once: Void = openblas_set_num_threads(1)

  static func ensure() { once }
}
