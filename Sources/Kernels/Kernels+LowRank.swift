import CKernels
import COpenBLAS
public import Tensors

/// `B` of a low-rank update, laid out for adding to ranges of outputs: what each number of the
/// bottleneck adds to 256 outputs stands together, so that memory is read from front to back.
public struct LowRankFactor: Sendable {
  static let blockColumnCount = 256

  public let rank: Int
  public let outputCount: Int
  /// F32, F16 or BF16 [⌈outputs / 256⌉ · r, 256]; zero behind the last output.
  let blocks: Tensor

  /// - Parameters:
  ///   - upProjection: `B` turned around, float32 [r, outputs].
  ///   - mayRound: whether elements may be rounded; see `Kernels.narrowed(_:mayRound:)`.
  public init(_ upProjection: Tensor, mayRound: Bool, with kernels: Kernels) {
    rank = upProjection.shape[0]
    outputCount = upProjection.shape[1]
    let blockColumnCount = Self.blockColumnCount
    let blockCount = (outputCount + blockColumnCount - 1) / blockColumnCount
    let elements = upProjection.floatElements
    var blocks = FloatMatrix(rowCapacity: blockCount * rank, columnCount: blockColumnCount)
    for row in 0..<blocks.rowCount {
      let (block, k) = row.quotientAndRemainder(dividingBy: rank)
      let first = block * blockColumnCount
      var destination = blocks.mutableRow(row)
      for column in 0..<min(blockColumnCount, outputCount - first) {
        destination[column] = elements[k * outputCount + first + column]
      }
    }
    let tensor = kernels.tensor(
      blocks, shape: [blocks.rowCount, blockColumnCount], as: .float32)
    self.blocks = kernels.narrowed(tensor, mayRound: mayRound)
  }
}

/// The second half of a low-rank update: scale · B · bottleneck.
public struct LowRankTerm: Sendable {
  public let factor: LowRankFactor
  /// Where the update's numbers begin in a row of the bottleneck, which may hold several updates'.
  public let firstColumn: Int
  public let scale: Float

  public init(_ factor: LowRankFactor, firstColumn: Int = 0, scale: Float) {
    self.factor = factor
    self.firstColumn = firstColumn
    self.scale = scale
  }
}

extension Kernels {
  /// output[i] = weight · input[i] + scale · B · bottleneck[i], for every row of `input`.
  ///
  /// - Parameters:
  ///   - weight: [output columns, input columns]; of any computable type.
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
    let sums = unsafe RowwiseSums(term, bottleneck, &output, self)
    // While the outputs of a range are in the first cache.
    multiplyGrouped(weight, input, into: &output) { unsafe sums.add(columns: $0) }
  }

  /// output[i] += scale · B · bottleneck[i], for every row of `output`.
  public func add(
    _ term: LowRankTerm, of bottleneck: borrowing FloatMatrix, to output: inout FloatMatrix
  ) {
    check(term, bottleneck, output)
    let rowCount = output.rowCount, rank = term.factor.rank, stride = output.columnCount
    guard rowCount >= Self.blockwiseRowCount else {
      let sums = unsafe RowwiseSums(term, bottleneck, &output, self)
      pool.parallelFor(count: stride, grain: Self.grain(cost: rowCount * rank)) {
        unsafe sums.add(columns: $0)
      }
      return
    }
    let blocks = floats(of: term.factor.blocks), width = LowRankFactor.blockColumnCount
    let bottleneckStride = Int32(bottleneck.columnCount), scale = term.scale
    nonisolated(unsafe) let up = unsafe blocks.pointer
    nonisolated(unsafe) let x = unsafe bottleneck.pointer + term.firstColumn
    nonisolated(unsafe) let out = unsafe output.mutablePointer
    SingleThreadedBLAS.ensure()
    pool.parallelFor(count: (stride + width - 1) / width) { range in
      for block in range {
        let first = block * width
        unsafe cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rowCount),
          Int32(min(width, stride - first)), Int32(rank), scale, x, bottleneckStride,
          up + first * rank, Int32(width), 1, out + first, Int32(stride))
      }
    }
  }

  /// The factor of a low-rank update in half its bytes: beside quantized weights, reading float32
  /// factors would take a twentieth of the time of a token.
  ///
  /// - Parameters:
  ///   - factor: a float32 matrix.
  ///   - mayRound: whether elements may move, by up to 2⁻¹² of the largest. Activations of quantized
  ///     weights are rounded to 2⁻⁸ of the largest. Otherwise a factor is narrowed only when all its
  ///     elements are BF16 or F16 numbers, as those of most adapters are.
  package func narrowed(_ factor: Tensor, mayRound: Bool) -> Tensor {
    let elements = floats(of: factor)
    for type in [ElementType.bfloat16, .float16] {
      let narrow = tensor(elements, shape: factor.shape, as: type)
      if areEqual(factor, narrow) { return narrow }
    }
    // In these bounds the float16 nearest to any element is that near, denormals included.
    let largest = elements.elements.largestMagnitude
    guard mayRound, 0x1p-13...65504 ~= largest else { return factor }
    return tensor(elements, shape: factor.shape, as: .float16)
  }

  private func check(
    _ term: LowRankTerm, _ bottleneck: borrowing FloatMatrix, _ output: borrowing FloatMatrix
  ) {
    precondition(bottleneck.rowCount == output.rowCount, "Row counts differ")
    precondition(term.factor.outputCount == output.columnCount, "Term does not fit its matrix")
    precondition(
      term.firstColumn >= 0 && term.firstColumn + term.factor.rank <= bottleneck.columnCount,
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
  private let kernels: Kernels

  /// - Precondition: the matrices outlive the value.
  @unsafe init(
    _ term: LowRankTerm, _ bottleneck: borrowing FloatMatrix, _ output: inout FloatMatrix,
    _ kernels: Kernels
  ) {
    self.term = term
    self.kernels = kernels
    rowCount = output.rowCount
    unsafe self.bottleneck = bottleneck.pointer + term.firstColumn
    bottleneckStride = bottleneck.columnCount
    unsafe self.output = output.mutablePointer
  }

  /// Adds to a range of outputs of every row.
  @unsafe func add(columns: Range<Int>) {
    let factor = term.factor, width = LowRankFactor.blockColumnCount
    let type = factor.blocks.floatType, stride = factor.outputCount
    let loadFloats = unsafe kernels.table.pointee.load_floats
    let addScaled = unsafe kernels.table.pointee.add_scaled
    unsafe factor.blocks.withBaseAddress { base in
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: width) {
        guard let scratch = $0.baseAddress else { return }
        var first = columns.lowerBound
        while first < columns.upperBound {
          let (block, offset) = first.quotientAndRemainder(dividingBy: width)
          let count = min(width - offset, columns.upperBound - first)
          for k in 0..<factor.rank {
            unsafe loadFloats(
              type, base, (block * factor.rank + k) * width + offset, count, scratch)
            for row in 0..<rowCount {
              unsafe addScaled(
                scratch, term.scale * bottleneck[row * bottleneckStride + k],
                output + row * stride + first, count)
            }
          }
          first += count
        }
      }
    }
  }
}
