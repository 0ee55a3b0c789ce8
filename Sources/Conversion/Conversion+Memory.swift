import Adapters
import Files
import Tensors

extension Conversion {
  /// What is left of the budget beside the adapters.
  var blocks: RowBlocks {
    RowBlocks(memoryBudget: max(request.output.memoryBudget - adapterByteCount, 0))
  }

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

  /// Checks that adapters and blocks fit in the budget, which those of a tensor that has to be computed
  /// whole may not.
  func checkMemory() throws(ConversionError) {
    let (blocks, adapters) = (blockByteCount, adapterByteCount)
    let budget = request.output.memoryBudget
    guard blocks + adapters > budget else { return }
    throw ConversionError(
      .usage,
      "computing takes \(blocks) bytes of memory at a time, beside \(adapters) of adapters, and the "
        + "budget is \(budget). Raise it with --memory")
  }
}
