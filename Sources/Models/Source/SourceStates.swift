import Adapters
import Kernels
import Tensors

/// What a FLARE adapter keeps of a source: `A · s` for every fused layer.
///
/// `s` is the residual stream that enters the decoder layer, before its norm, in a pass of the
/// source text through the base without the FLARE adapter. It depends on the source alone, so it is
/// computed once and shared by every target position; a source that is continued grows by a
/// position a step.
final class SourceStates {
  /// Rows of `[r]`, one after the other, by module.
  private(set) var projections: [String: [Float]] = [:]
  private var ranks: [String: Int] = [:]
  private(set) var positionCount = 0

  init() {}

  init(_ cache: SourceCache) {
    for (module, tensor) in cache.projections {
      let elements = tensor.floatElements
      projections[module] = elements.indices.map { elements[$0] }
      ranks[module] = tensor.shape[1]
    }
    positionCount = cache.positionCount
  }

  /// Adds the positions of a chunk: the residual stream that enters a layer, `[positions, hidden]`,
  /// down-projected for each of the layer's fused modules.
  func record(_ residual: borrowing FloatMatrix, for layers: [Linear], _ kernels: Kernels) {
    for layer in layers {
      guard let update = layer.updates.first(where: { $0.fusion != nil }) else { continue }
      var projected = FloatMatrix(rowCapacity: residual.rowCount, columnCount: update.rank)
      kernels.multiplyAdding(update.loraA, residual, scale: 1, to: &projected)
      let values = projected.elements
      for index in values.indices { projections[layer.name, default: []].append(values[index]) }
      ranks[layer.name] = update.rank
    }
  }

  /// Counts positions that all layers have recorded.
  func advance(by count: Int) { positionCount += count }

  /// The states as tensors, `[positions, r]` by module.
  func tensors() -> [String: Tensor] {
    Dictionary(
      uniqueKeysWithValues: projections.map { module, values in
        let rank = ranks[module] ?? 1
        return (module, Tensor(values, shape: [values.count / rank, rank]))
      })
  }

  /// The rows that pair with source positions, `[positions.count, r]`: zero before the source
  /// begins, its last state past its end.
  func rows(of module: String, at positions: [Int]) -> FloatMatrix {
    guard let elements = projections[module], let rank = ranks[module] else {
      preconditionFailure("No source states of the module")
    }
    var rows = FloatMatrix(rowCapacity: positions.count, columnCount: rank)  // zeros
    for (row, position) in positions.enumerated() where position >= 0 {
      let first = min(position, positionCount - 1) * rank
      var destination = rows.mutableRow(row)
      for column in 0..<rank { destination[column] = elements[first + column] }
    }
    return rows
  }
}

/// A source beside the target that reads it.
struct PairedSource {
  let states: SourceStates
  let alignment: SourceAlignment
  /// How long the source was when the target began.
  let promptCount: Int
  /// The length of the target prompt that the source is aligned with.
  let targetPromptCount: Int

  /// The source position that pairs with a target position; it may lie before or behind the source.
  func position(pairedWith target: Int) -> Int {
    switch alignment {
    case .right: target - targetPromptCount + promptCount
    // Generated tokens too, unless the source is continued and has a position of theirs.
    case .last: promptCount - 1 + max(0, target - targetPromptCount + 1)
    }
  }

  /// The down-projected states that pair with a range of target positions, `[count, r]`.
  func rows(of module: String, pairedWith positions: Range<Int>) -> FloatMatrix {
    states.rows(of: module, at: positions.map(position))
  }
}
