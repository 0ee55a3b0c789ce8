import CKernels
import Tensors

extension Kernels {
  /// Writes a row of some tensor as floats.
  typealias RowLoader = @Sendable (_ row: Int, _ output: UnsafeMutablePointer<Float>) -> Void

  /// Calls `body` with what loads the rows of `tensor`, which are `columns` long.
  ///
  /// - Precondition: the tensor is not empty, and its type is computable.
  @unsafe func withRowLoader<Result>(
    of tensor: Tensor, columns: Int, _ body: (RowLoader) -> Result
  ) -> Result {
    if let type = tensor.elementType.floatType {
      let loadFloats = unsafe table.pointee.load_floats
      return unsafe tensor.withBaseAddress { base in
        nonisolated(unsafe) let base = unsafe base
        return unsafe body { unsafe loadFloats(type, base, $0 * columns, columns, $1) }
      }
    }
    if let type = tensor.elementType.blockType, let block = tensor.elementType.block {
      let dequantize = unsafe table.pointee.dequantize_blocks
      let count = columns / block.columnCount, rowByteCount = count * block.byteCount
      return unsafe tensor.withBaseAddress { base in
        nonisolated(unsafe) let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
        return unsafe body { unsafe dequantize(type, bytes + $0 * rowByteCount, count, $1) }
      }
    }
    let dequantize =
      switch tensor.elementType {
      case .groupedInt8: unsafe flare_dequantize_row_int8
      case .groupedInt4: unsafe flare_dequantize_row_int4
      case .groupedQ4K: unsafe flare_dequantize_row_q4_k
      case .groupedQ5K: unsafe flare_dequantize_row_q5_k
      case .groupedQ6K: unsafe flare_dequantize_row_q6_k
      default: preconditionFailure("Not a computable type")
      }
    return unsafe tensor.withPanels { panels in
      nonisolated(unsafe) let panels = unsafe panels
      return unsafe body { row, output in
        unsafe withUnsafePointer(to: panels) { unsafe dequantize($0, row, output) }
      }
    }
  }
}
