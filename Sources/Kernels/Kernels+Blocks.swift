import CKernels
import Synchronization
public import Tensors

// Quantized weights of GGUF files become panels when they are loaded.
extension Kernels {
  /// The tensor in the form whose products are fastest: blocks that have a `panelTwin` as panels of
  /// exactly the same values, everything else as it is.
  ///
  /// Panels are memory of their own, about as large as the blocks, or 8.5 bits an element for types
  /// that become int8. Scales are taken over bit by bit, also
  /// those that are not finite: such a weight shows as NaN or infinity in whatever it is multiplied
  /// with. `hasFiniteScales(_:)` finds them.
  public func prepared(_ tensor: Tensor) -> Tensor {
    guard let type = tensor.elementType.panelTwin,
      let layout = GroupedLayout(type, shape: tensor.shape)
    else { return tensor }
    return repacked(tensor, as: layout)
  }

  private func repacked(_ blocks: Tensor, as layout: GroupedLayout) -> Tensor {
    guard let blockType = blocks.elementType.blockType else { preconditionFailure("No blocks") }
    let rowByteCount = layout.rowCount == 0 ? 0 : blocks.byteCount / layout.rowCount
    return Tensor(shape: blocks.shape, elementType: layout.elementType) { bytes in
      unsafe bytes.withUnsafeMutableBytes { buffer in
        guard let start = buffer.baseAddress else { return }
        nonisolated(unsafe) let panels = unsafe start.assumingMemoryBound(to: UInt8.self)
        unsafe blocks.withBaseAddress { base in
          nonisolated(unsafe) let rows = unsafe base.assumingMemoryBound(to: UInt8.self)
          pool.parallelFor(count: layout.panelCount) { range in
            for panel in range {
              let row = panel * GroupedLayout.panelRowCount
              let isKnown = unsafe flare_repack_panel(
                blockType, rows + row * rowByteCount,
                min(GroupedLayout.panelRowCount, layout.rowCount - row), layout.groupCount,
                panels + panel * layout.panelByteCount)
              precondition(isKnown, "No panels of the type")
            }
          }
        }
      }
    }
  }

  /// Whether no block of the tensor has a float16 scale or minimum that is NaN or infinite, or an
  /// exponent that is too large; true for tensors that have no blocks.
  ///
  /// All elements are finite then: a quant is at most some thousands, a float16 number 65504.
  public func hasFiniteScales(_ tensor: Tensor) -> Bool {
    guard let type = tensor.elementType.blockType, let block = tensor.elementType.block,
      tensor.byteCount > 0
    else { return true }
    let isGood = Atomic<Bool>(true)
    unsafe tensor.withBaseAddress { base in
      nonisolated(unsafe) let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
      pool.parallelFor(count: tensor.byteCount / block.byteCount, grain: 4096) { range in
        let start = unsafe bytes + range.lowerBound * block.byteCount
        let areGood = unsafe flare_blocks_are_finite(type, start, range.count)
        if !areGood { isGood.store(false, ordering: .relaxed) }
      }
    }
    return isGood.load(ordering: .relaxed)
  }
}
