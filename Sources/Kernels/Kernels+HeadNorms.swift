import CKernels
public import Tensors

extension Kernels {
  /// RMSNorm of every head of every row by itself, in place.
  ///
  /// - Parameters:
  ///   - x: [rows, heads · headDimension].
  ///   - weight: [headDimension], the same for all heads; F32, F16 or BF16.
  ///   - unitOffset: whether the weight is stored as its distance from one, as Gemma does.
  public func normalizeHeads(
    of x: inout FloatMatrix, weight: Tensor, epsilon: Float, unitOffset: Bool
  ) {
    let headDimension = weight.shape.elementCount
    precondition(weight.shape == [headDimension], "Weight is no vector")
    precondition(
      headDimension > 0 && x.columnCount % headDimension == 0,
      "Columns are no whole number of heads")
    let type = weight.floatType, normalize = unsafe table.pointee.rms_norm
    nonisolated(unsafe) let heads = unsafe x.mutablePointer
    unsafe weight.withBaseAddress { base in
      nonisolated(unsafe) let base = unsafe base
      pool.parallelFor(
        count: x.rowCount * (x.columnCount / headDimension), grain: Self.grain(cost: headDimension)
      ) { range in
        for index in range {
          // It has read a number before it writes in its place.
          let head = unsafe heads + index * headDimension
          unsafe normalize(head, type, base, headDimension, epsilon, unitOffset ? 1 : 0, head)
        }
      }
    }
  }
}
