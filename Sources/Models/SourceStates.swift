import Adapters
import Kernels
import Tensors

/// What a FLARE adapter keeps of a source text: `A · s` for every fused layer.
///
/// `s` is the residual stream that enters the decoder layer, before its norm, in a pass of the
/// source text through the base without the FLARE adapter. It depends on the source alone, so it is
/// computed once and shared by every target position.
///
/// Prompts are aligned at their right ends: with `Ls` source and `Lt` target prompt tokens, target
/// position `i` pairs with source position `i − Lt + Ls`. Before the source begins, the source is
/// zero; past its end, for generated tokens, its last state is held.
public struct SourceStates: Sendable {
  /// `[source positions, r]` in float32 by module.
  private let projections: [String: Tensor]
  public let sourcePositionCount: Int
  /// The length of the target prompt that the source is aligned with.
  public let targetPositionCount: Int

  /// The rows that pair with a range of target positions.
  func rows(of module: String, pairedWith positions: Range<Int>) -> FloatMatrix {
    guard let projection = projections[module] else {
      preconditionFailure("No source states of the module")
    }
    let rank = projection.shape[1]
    let elements = projection.floatElements
    var rows = FloatMatrix(rowCapacity: positions.count, columnCount: rank)  // zeros
    for (row, position) in positions.enumerated() {
      let aligned = position - targetPositionCount + sourcePositionCount
      guard aligned >= 0 else { continue }
      let first = min(aligned, sourcePositionCount - 1) * rank
      var destination = rows.mutableRow(row)
      for column in 0..<rank { destination[column] = elements[first + column] }
    }
    return rows
  }
}

extension SourceStates {
  /// Collects the states while the source goes through the model chunk by chunk.
  struct Recorder {
    private var elements: [String: [Float]] = [:]
    private var ranks: [String: Int] = [:]

    /// Down-projects the residual stream that enters a layer, `[positions, hidden]`, for each of
    /// the layer's fused modules.
    mutating func record(
      _ residual: borrowing FloatMatrix, for layers: [Linear], _ kernels: Kernels
    ) {
      for layer in layers {
        guard let update = layer.updates.first(where: { $0.fusion != nil }) else { continue }
        var projected = FloatMatrix(rowCapacity: residual.rowCount, columnCount: update.rank)
        kernels.multiplyAdding(update.loraA, residual, scale: 1, to: &projected)
        let values = projected.elements
        for index in values.indices { elements[layer.name, default: []].append(values[index]) }
        ranks[layer.name] = update.rank
      }
    }

    consuming func finish(sourcePositionCount: Int, targetPositionCount: Int) -> SourceStates {
      let projections = elements.map { module, values in
        let rank = ranks[module] ?? 1
        return (module, Tensor(values, shape: [values.count / rank, rank]))
      }
      return SourceStates(
        projections: Dictionary(uniqueKeysWithValues: projections),
        sourcePositionCount: sourcePositionCount, targetPositionCount: targetPositionCount)
    }
  }
}
