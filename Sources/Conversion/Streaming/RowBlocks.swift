import Tensors
import WeightFiles

/// A piece of a tensor that is computed at a time: some rows, and where their bytes go.
struct RowBlock: Sendable, Hashable {
  /// Which entry of the layout.
  let entry: Int
  let rows: Range<Int>
  /// Where the bytes begin in the file.
  let offset: Int
}

/// How a layout is cut into blocks.
///
/// A few of them, and what computing them takes, fit in a budget of memory. The bytes of a file do not
/// depend on it.
struct RowBlocks {
  /// The most elements of a block, unless a tensor has to be computed whole.
  let elementCount: Int

  /// A block that is being made has its source (up to 4 bytes an element), two matrices of floats, and
  /// its result, of which two more wait to be written.
  private static func byteCountPerElement(_ resultBits: Double) -> Double {
    4 + 2 * 4 + 3 * resultBits / 8
  }

  /// Half of the budget is for blocks; the rest for the program, a vocabulary, adapters.
  private static let budgetShare = 0.5
  /// More than this at a time is not faster.
  private static let largestElementCount = 8 << 20

  /// - Parameter memoryBudget: bytes.
  init(memoryBudget: Int) {
    let room = Double(memoryBudget) * Self.budgetShare / Self.byteCountPerElement(32)
    elementCount = min(max(Int(room), 1), Self.largestElementCount)
  }

  /// Rows of a block of a tensor.
  ///
  /// - Parameter multiple: what source and destination need the first row to be a multiple of.
  func rowCount(of info: TensorInfo, multiple: Int) -> Int {
    let rowElementCount = max(info.shape.elementCount / max(info.rowCount, 1), 1)
    let wanted = elementCount / rowElementCount
    return min(max(wanted / multiple * multiple, multiple), max(info.rowCount, 1))
  }

  /// The blocks of a file in the order of their bytes.
  func blocks(of layout: TensorFileLayout, from source: any TensorSource) -> [RowBlock] {
    layout.entries.indices.flatMap { index in
      let entry = layout.entries[index]
      let multiple = leastCommonMultiple(
        source.rowMultiple(of: entry.info.name), entry.info.rowMultiple)
      let step = rowCount(of: entry.info, multiple: multiple)
      return stride(from: 0, to: max(entry.info.rowCount, 1), by: step).map { first in
        RowBlock(
          entry: index, rows: first..<min(first + step, max(entry.info.rowCount, 1)),
          offset: entry.offset + entry.info.withRowCount(first).byteCount)
      }
    }
  }

  /// The most bytes that blocks of these tensors take at a time.
  func peakByteCount(of layout: TensorFileLayout, from source: any TensorSource) -> Int {
    layout.entries.map { entry in
      let multiple = leastCommonMultiple(
        source.rowMultiple(of: entry.info.name), entry.info.rowMultiple)
      let rows = rowCount(of: entry.info, multiple: multiple)
      let elements = entry.info.withRowCount(rows).shape.elementCount
      let bits = Double(entry.info.byteCount) * 8 / Double(max(entry.info.shape.elementCount, 1))
      return Int(Double(elements) * Self.byteCountPerElement(bits))
    }.max() ?? 0
  }
}
