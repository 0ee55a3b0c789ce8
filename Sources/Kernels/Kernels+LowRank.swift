import CKernels
import COpenBLAS
public import Tensors

/// The second half of a low-rank update, as a loop over outputs likes it.
public struct LowRankTerm: Sendable {
  /// `B` turned around, float32 [r, outputs]: what each number of the bottleneck adds to the outputs.
  public let upProjection: Tensor
  /// Where the update's numbers begin in a row of the bottleneck, which may hold several updates'.
  public let firstColumn: Int
  public let scale: Float

  /// - Precondition: `upProjection` is a float32 matrix.
  public init(upProjection: Tensor, firstColumn: Int = 0, scale: Float) {
    precondition(
      upProjection.elementType == .float32 && upProjection.shape.rank == 2, "Not a float32 matrix")
    self.upProjection = upProjection
    self.firstColumn = firstColumn
    self.scale = scale
  }

  var rank: Int { upProjection.shape[0] }
}

extension Kernels {
  /// output[i] = weight · input[i] + scale · B · bottleneck[i], for every row of `input`.
  ///
  /// - Parameters:
  ///   - weight: [output columns, input columns]; F32, F16, BF16 or grouped.
  ///   - input: prepared for `weight` when that is grouped.
  ///   - term: what is added of the low-rank update.
  ///   - bottleneck: `A · input`, as many rows as `input`.
  ///   - output: gets the row count of `input`.
  public func multiply(
    _ weight: Tensor, _ input: borrowing LayerInput, adding term: LowRankTerm,
    of bottleneck: borrowing FloatMatrix, into output: inout FloatMatrix
  ) {
    guard weight.elementType.isGrouped, input.rowCount < Self.blockwiseRowCount else {
      multiply(weight, input, into: &output)
      add(term, of: bottleneck, to: &output)
      return
    }
    output.rowCount = input.rowCount
    check(term, bottleneck, output)
    let sums = unsafe RowwiseSums(term, bottleneck, &output, table.pointee.add_scaled)
    // While the outputs of a range are in the first cache.
    multiplyGrouped(weight, input, into: &output) { unsafe sums.add(columns: $0) }
  }

  /// output[i] += scale · B · bottleneck[i], for every row of `output`.
  public func add(
    _ term: LowRankTerm, of bottleneck: borrowing FloatMatrix, to output: inout FloatMatrix
  ) {
    check(term, bottleneck, output)
    let rowCount = output.rowCount, rank = term.rank, stride = output.columnCount
    guard rowCount >= Self.blockwiseRowCount else {
      let sums = unsafe RowwiseSums(term, bottleneck, &output, table.pointee.add_scaled)
      pool.parallelFor(count: stride, grain: Self.grain(cost: rowCount * rank)) {
        unsafe sums.add(columns: $0)
      }
      return
    }
    let bottleneckStride = Int32(bottleneck.columnCount), scale = term.scale
    nonisolated(unsafe) let x = unsafe bottleneck.pointer + term.firstColumn
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    SingleThreadedBLAS.ensure()
    unsafe term.upProjection.withBaseAddress { base in
      nonisolated(unsafe) let up = unsafe base.assumingMemoryBound(to: Float.self)
      pool.parallelFor(count: stride, grain: Self.grain(cost: rowCount * rank)) { columns in
        let first = columns.lowerBound
        unsafe cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rowCount), Int32(columns.count),
          Int32(rank), scale, x, bottleneckStride, up + first, Int32(stride), 1, out + first,
          Int32(stride))
      }
    }
  }

  private func check(
    _ term: LowRankTerm, _ bottleneck: borrowing FloatMatrix, _ output: borrowing FloatMatrix
  ) {
    precondition(bottleneck.rowCount == output.rowCount, "Row counts differ")
    precondition(term.upProjection.shape[1] == output.columnCount, "Term does not fit its matrix")
    precondition(
      term.firstColumn >= 0 && term.firstColumn + term.rank <= bottleneck.columnCount,
      "Column out of bounds")
  }
}

/// Adds a low-rank term row by row, a number of the bottleneck after the other, so that a row gets
/// the same bits however many there are and wherever a range is cut.
@safe private struct RowwiseSums: @unchecked Sendable {
  private let term: LowRankTerm
  private let rowCount: Int
  private let bottleneck: UnsafePointer<Float>
  private let bottleneckStride: Int
  private let output: UnsafeMutablePointer<Float>
  private let addScaled:
    @convention(c) (UnsafePointer<Float>, Float, UnsafeMutablePointer<Float>, Int) -> Void

  /// Outputs that stay in the first cache while all of the bottleneck is added to them.
  private static let blockColumnCount = 2048

  /// - Precondition: the matrices outlive the value.
  @unsafe init(
    _ term: LowRankTerm, _ bottleneck: borrowing FloatMatrix, _ output: inout FloatMatrix,
    _ addScaled:
      @escaping @convention(c) (
        UnsafePointer<Float>, Float, UnsafeMutablePointer<Float>, Int
      ) -> Void
  ) {
    self.term = term
    rowCount = output.rowCount
    unsafe self.bottleneck = bottleneck.pointer + term.firstColumn
    bottleneckStride = bottleneck.columnCount
    unsafe self.output = output.mutablePointer
    unsafe self.addScaled = addScaled
  }

  /// Adds to a range of outputs of every row.
  @unsafe func add(columns: Range<Int>) {
    let stride = term.upProjection.shape[1]
    unsafe term.upProjection.withBaseAddress { base in
      let up = unsafe base.assumingMemoryBound(to: Float.self)
      for first in Swift.stride(
        from: columns.lowerBound, to: columns.upperBound, by: Self.blockColumnCount)
      {
        let count = min(Self.blockColumnCount, columns.upperBound - first)
        for row in 0..<rowCount {
          for k in 0..<term.rank {
            unsafe addScaled(
              up + k * stride + first, term.scale * bottleneck[row * bottleneckStride + k],
              output + row * stride + first, count)
          }
        }
      }
    }
  }
}
