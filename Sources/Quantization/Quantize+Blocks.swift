import CKernels
import Kernels
import Tensors

/// A float matrix in blocks of ggml.
///
/// - Throws: `QuantizationError` as `quantize(_:as:with:)`.
func quantizeBlocks(
  _ tensor: Tensor, as type: ElementType, with kernels: Kernels
) throws(QuantizationError) -> Tensor {
  guard let block = type.block, let blockType = type.blockType else {
    preconditionFailure("Not a blocked type")
  }
  guard let source = tensor.elementType.floatType, tensor.shape.rank == 2,
    tensor.shape.elementCount > 0, type.byteCount(of: tensor.shape) != nil
  else {
    throw QuantizationError(
      .unsuitable,
      "\(tensor.elementType) \(tensor.shape) cannot become \(type), expected an F32, F16 or BF16 "
        + "matrix whose columns are a multiple of \(block.columnCount)")
  }
  guard let blocks = blocks(of: tensor, source, as: type, block, blockType, with: kernels) else {
    throw fault(in: tensor, as: type, block, blockType, with: kernels)
  }
  return blocks
}

/// The matrix in blocks, or nil when one cannot hold its elements.
private func blocks(
  of tensor: Tensor, _ source: flare_float_type, as type: ElementType, _ block: ElementType.Block,
  _ blockType: flare_block_type, with kernels: Kernels
) -> Tensor? {
  let quantizeBlocks = unsafe kernels.table.pointee.quantize_blocks
  let blockCount = tensor.shape.elementCount / block.columnCount
  return unsafe tensor.quantized(
    as: type, partCount: blockCount, grain: blocksPerRange, with: kernels
  ) { base, blocks, range in
    unsafe quantizeBlocks(
      blockType, source, base, range.lowerBound * block.columnCount, range.count,
      blocks + range.lowerBound * block.byteCount)
  }
}

/// Blocks that are worth waking a thread for.
private let blocksPerRange = 64

/// Finds the first element, or the first block, that quantization cannot represent.
private func fault(
  in tensor: Tensor, as type: ElementType, _ block: ElementType.Block,
  _ blockType: flare_block_type, with kernels: Kernels
) -> QuantizationError {
  let floats = kernels.floats(of: tensor)
  if let error = QuantizationError(notFinite: floats) { return error }
  for row in 0..<floats.rowCount {
    let elements = floats[row]
    for start in stride(from: 0, to: elements.count, by: block.columnCount) {
      let columns = start..<start + block.columnCount
      let part = Tensor(columns.map { elements[$0] }, shape: [1, block.columnCount])
      guard blocks(of: part, FLARE_F32, as: type, block, blockType, with: kernels) == nil,
        let column = columns.max(by: { elements[$0].magnitude < elements[$1].magnitude })
      else { continue }
      return QuantizationError(
        .tooLarge,
        "element [\(row), \(column)] is \(elements[column]), too large for the float16 scales of "
          + "\(type)")
    }
  }
  return QuantizationError(.tooLarge, "a block has no finite float16 scale")
}
