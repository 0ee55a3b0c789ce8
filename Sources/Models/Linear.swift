import Adapters
import Kernels
import Tensors

/// A linear layer, `y = W · x + bias`, with the low-rank updates of the adapters on it.
struct Linear: Sendable {
  /// As the checkpoint names it, without `.weight`.
  let name: String
  /// Weights, `[outputs, inputs]`.
  let weight: Tensor
  /// Added to each row, `[outputs]`.
  let bias: Tensor?
  let updates: [LowRankUpdate]

  /// Writes the layer's outputs, `[positions, outputs]`.
  ///
  /// - Parameters:
  ///   - input: `[positions, inputs]`, prepared for this layer's weight.
  ///   - context: which pass this is and what it knows of the source.
  func apply(
    _ input: borrowing LayerInput, into output: inout FloatMatrix, _ context: PassContext
  ) {
    let kernels = context.kernels
    kernels.multiply(weight, input, into: &output)
    if let bias { kernels.addBias(bias, to: &output) }
    for update in updates {
      guard let term = update.term(in: context.pass) else { continue }
      var scaling = update.scaling
      var bottleneck: FloatMatrix  // [positions, r]
      switch term {
      case .delta(let sign):
        bottleneck = Self.downProject(input, update, kernels)
        scaling *= sign
      case .fused(let fusion):
        let source = context.sourceRows(of: name, count: input.values.rowCount)
        bottleneck = Self.downProject(input, update, kernels)
        var fused = bottleneck.mutableElements
        fusion.fuse(source.elements, into: &fused)
      case .sourceHalf:
        bottleneck = context.sourceRows(of: name, count: input.values.rowCount)
      }
      kernels.multiplyAdding(update.loraB, bottleneck, scale: scaling, to: &output)
    }
  }

  /// Gives `A · x`, `[positions, r]`.
  private static func downProject(
    _ input: borrowing LayerInput, _ update: LowRankUpdate, _ kernels: Kernels
  ) -> FloatMatrix {
    var result = FloatMatrix(rowCapacity: input.values.rowCount, columnCount: update.rank)
    kernels.multiply(update.loraA, input, into: &result)
    return result
  }
}
