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
  /// DoRA's factor of each output, `[outputs]`, for each update; nil for those without.
  let lengthFactors: [Tensor?]

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
    for (update, factors) in zip(updates, lengthFactors) {
      guard let term = update.term(in: context.pass) else { continue }
      add(update, term, input, to: &output, context)
      if let factors { kernels.scaleColumns(of: &output, by: factors) }
    }
    // Behind all lengths, which are those of the weight alone.
    if let bias { kernels.addBias(bias, to: &output) }
    for update in updates {
      guard let bias = update.outputBias, let sign = update.biasSign(in: context.pass) else {
        continue
      }
      kernels.addBias(bias, scale: sign * update.scaling, to: &output)
    }
  }

  /// Adds one term of an update, without its bias.
  private func add(
    _ update: LowRankUpdate, _ term: LowRankUpdate.Term, _ input: borrowing LayerInput,
    to output: inout FloatMatrix, _ context: PassContext
  ) {
    let kernels = context.kernels
    var scaling = update.scaling
    var bottleneck: FloatMatrix  // [positions, r]
    switch term {
    case .delta(let sign):
      bottleneck = Self.downProject(input, update, kernels)
      scaling *= sign
    case .fused:
      let source = context.sourceRows(of: name, count: input.values.rowCount)
      bottleneck = Self.downProject(input, update, kernels)
      update.fuse(source, into: &bottleneck)
    case .sourceHalf:
      bottleneck = context.sourceRows(of: name, count: input.values.rowCount)
    }
    kernels.multiplyAdding(update.loraB, bottleneck, scale: scaling, to: &output)
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

extension LowRankUpdate {
  /// How the bias of `lora_B` is added in `pass`: as the delta is, with the target half of a fusion.
  fileprivate func biasSign(in pass: ForwardPass) -> Float? {
    switch term(in: pass) {
    case .delta(let sign): sign
    case .fused: 1
    case .sourceHalf, nil: nil
    }
  }
}
