import Dispatch
import Files
import Tensors
import WeightFiles

/// Computes the tensors of a file block by block and writes them, one block read ahead, one computed
/// on all cores and one written behind at a time.
struct TensorStream {
  let source: any TensorSource
  let blocks: RowBlocks
  /// Called on the writing thread when all bytes of a tensor were handed to the file, and before the
  /// file may note how far it is.
  let tensorWillEnd: @Sendable (TensorInfo) throws -> Void

  /// Writes what is missing of a file.
  ///
  /// - Parameter progress: told of tensors and bytes as blocks are computed.
  /// - Throws: `TensorSourceError` from the source, or `FileError`.
  func write(
    _ layout: TensorFileLayout, to file: some ResumableSink, progress: ((ConversionStep) -> Void)?
  ) throws {
    let done = file.byteCount
    let writer = WriteBehind()
    if done < layout.header.count {
      let rest = Array(layout.header[done...])
      try writer.append { try file.write(unsafe rest.span.bytes) }
    }
    progress?(ConversionStep(tensor: "", byteCount: max(done, layout.header.count)))
    // A tensor that was begun is computed again from its first row: what a merge measures is a sum
    // over all of them.
    let missing = blocks.blocks(of: layout, from: source).filter {
      layout.entries[$0.entry].end > done
    }
    let reader = ReadAhead(source, missing.map { (layout.entries[$0.entry].info.name, $0.rows) })
    for (position, block) in missing.enumerated() {
      let entry = layout.entries[block.entry]
      reader.advance(to: position)
      let tensor = try source.rows(block.rows, of: entry.info.name)
      precondition(
        tensor.shape == entry.info.withRowCount(block.rows.count).shape
          && tensor.elementType == entry.info.elementType, "Tensor differs from its plan")
      let isLast = block.rows.upperBound == max(entry.info.rowCount, 1)
      let padding = isLast ? entry.paddingByteCount : 0
      let written = min(max(done - block.offset, 0), tensor.byteCount)
      let paddingDone = min(max(done - block.offset - tensor.byteCount, 0), padding)
      try writer.append { [tensorWillEnd] in
        if isLast { try tensorWillEnd(entry.info) }
        try file.write(tensor.bytes.extracting(written..<tensor.byteCount))
        let zeros = [UInt8](repeating: 0, count: padding - paddingDone)
        try file.write(unsafe zeros.span.bytes)
      }
      progress?(
        ConversionStep(
          tensor: entry.info.name,
          byteCount: tensor.byteCount - written + padding - paddingDone))
    }
    try writer.finish()
  }
}

/// A thread that asks the system for the rows of the next blocks.
private final class ReadAhead {
  private let queue = DispatchQueue(label: "flare.read")
  private let source: any TensorSource
  private let wanted: [(name: String, rows: Range<Int>)]
  private var asked = 0

  /// Blocks that are asked for before they are needed.
  private static let depth = 3

  init(_ source: any TensorSource, _ wanted: [(name: String, rows: Range<Int>)]) {
    self.source = source
    self.wanted = wanted
  }

  func advance(to position: Int) {
    while asked < min(position + 1 + Self.depth, wanted.count) {
      let (name, rows) = wanted[asked]
      asked += 1
      queue.async { [source] in source.prefetch(rows, of: name) }
    }
  }
}
