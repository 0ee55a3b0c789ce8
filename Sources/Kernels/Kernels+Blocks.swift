import CKernels
public import Tensors

// Quantized weights of GGUF files become panels when they are loaded.
extension Kernels {
  /// The blocks of a GGUF tensor as a grouped tensor of exactly the same values.
  ///
  /// Scales are taken over bit by bit, also those that are not finite: such a weight shows as NaN
  /// or infinity in whatever it is multiplied with.
  ///
  /// - Parameters:
  ///   - blocks: the rows of the tensor as they are in the file, in blocks of Q8_0 for
  ///     `groupedInt8`, Q4_0 for `groupedInt4`, Q4_K for `groupedQ4K`, Q6_K for `groupedQ6K`.
  ///   - shape: [rows, columns] of the elements.
  /// - Precondition: `type` can have the shape, and `blocks` has the bytes of it.
  public func repack(_ blocks: Tensor, shape: Shape, as type: ElementType) -> Tensor {
    guard let layout = GroupedLayout(type, shape: shape) else {
      preconditionFailure("Not a grouped shape")
    }
    let block = Block(of: type), repackPanel = unsafe block.repackPanel
    let rowByteCount = layout.columnCount / block.columnCount * block.byteCount
    precondition(blocks.byteCount == layout.rowCount * rowByteCount, "Byte count differs")
    return Tensor(shape: shape, elementType: type) { bytes in
      unsafe bytes.withUnsafeMutableBytes { buffer in
        guard let start = buffer.baseAddress else { return }
        nonisolated(unsafe) let panels = unsafe start.assumingMemoryBound(to: UInt8.self)
        unsafe blocks.withBaseAddress { base in
          nonisolated(unsafe) let rows = unsafe base.assumingMemoryBound(to: UInt8.self)
          pool.parallelFor(count: layout.panelCount) { range in
            for panel in range {
              let row = panel * GroupedLayout.panelRowCount
              unsafe repackPanel(
                rows + row * rowByteCount,
                min(GroupedLayout.panelRowCount, layout.rowCount - row), layout.groupCount,
                panels + panel * layout.panelByteCount)
            }
          }
        }
      }
    }
  }
}

/// A block of GGUF, which holds columns of one row.
@safe private struct Block {
  let columnCount: Int
  let byteCount: Int
  /// Packs some rows of such blocks as a panel.
  @unsafe let repackPanel:
    @convention(c) (UnsafePointer<UInt8>, Int, Int, UnsafeMutablePointer<UInt8>) -> Void

  /// The block whose values `type` has.
  init(of type: ElementType) {
    switch type {
    case .groupedInt8:
      (columnCount, byteCount) = (32, 34)
      unsafe repackPanel = flare_repack_panel_q8_0
    case .groupedInt4:
      (columnCount, byteCount) = (32, 18)
      unsafe repackPanel = flare_repack_panel_q4_0
    case .groupedQ4K:
      (columnCount, byteCount) = (256, 144)
      unsafe repackPanel = flare_repack_panel_q4_k
    case .groupedQ6K:
      (columnCount, byteCount) = (256, 210)
      unsafe repackPanel = flare_repack_panel_q6_k
    default: preconditionFailure("Not a grouped type")
    }
  }
}
