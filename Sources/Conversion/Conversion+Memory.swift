import Adapters
import Files
import Tensors

extension Conversion {
  private var blocks: RowBlocks { RowBlocks(memoryBudget: request.output.memoryBudget) }

  /// The most bytes of blocks that are in memory at a time.
  var blockByteCount: Int {
    weightFiles.map { blocks.peakByteCount(of: $0.layout, from: tensors) }.max() ?? 0
  }

  /// Bytes of the adapters, which are in memory from the start.
  var adapterByteCount: Int {
    mergePlan.parts.reduce(0) { sum, part in
      part.adapter.updates.reduce(sum) { sum, update in
        sum + update.tensors.reduce(0) { $0 + $1.tensor.byteCount }
      }
    }
  }

  /// Checks that the blocks fit in the budget, which those of a tensor that has to be computed whole
  /// may not.
  func checkMemory() throws(ConversionError) {
    let (needed, budget) = (blockByteCount, request.output.memoryBudget)
    guard needed > budget else { return }
    throw ConversionError(
      .usage,
      "computing takes \(needed) bytes of memory at a time, and the budget is \(budget): a tensor has "
        + "to be computed whole. Raise it with --memory")
  }
}
