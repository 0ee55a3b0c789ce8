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
      guard let update = layer.fusedUpdate else { continue }
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

  /// Writes a row of the states, `[r]`: zero before the source begins, its last state past its end.
  func write(_ position: Int, of module: String, to row: inout MutableSpan<Float>) {
    guard let elements = projections[module] else {
      preconditionFailure("No source states of the module")
    }
    let first = min(position, positionCount - 1) * row.count
    for column in row.indices { row[column] = position < 0 ? 0 : elements[first + column] }
  }
}

extension Linear {
  /// The update that a source joins in; nil when none does.
  var fusedUpdate: LowRankUpdate? { updates.lazy.map(\.update).first { $0.fusion != nil } }
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

  /// Writes the down-projected states that pair with target positions from `first` on to `rows` of
  /// a matrix, `[…, r]`.
  func writeRows(
    _ rows: Range<Int>, of module: String, pairedWith first: Int, into matrix: inout FloatMatrix
  ) {
    for row in rows {
      var destination = matrix.mutableRow(row)
      states.write(
        position(pairedWith: first + row - rows.lowerBound), of: module, to: &destination)
    }
  }
}
