import Adapters
import Kernels
import Tensors

/// A linear layer, `y = W · x + bias`, with the low-rank updates of the adapters on it.
struct Linear: Sendable {
  /// As the checkpoint names it, without `.weight`.
  let name: String
  /// Weights, `[outputs, inputs]`.
  let weight: Tensor
  /// Added to each row, float32 `[outputs]`.
  let bias: Tensor?
  let updates: [LinearUpdate]

  var isQuantized: Bool { weight.elementType.isGrouped }

  /// Writes the layer's outputs, `[rows, outputs]`.
  ///
  /// - Parameters:
  ///   - input: `[rows, inputs]`, prepared for this layer.
  ///   - steps: what the updates add in this pass, in order.
  ///   - work: holds `A · x` of the updates.
  ///   - context: which pass this is and what it knows of the source.
  func apply(
    _ input: borrowing LayerInput, _ steps: [LowRankStep], into output: inout FloatMatrix,
    _ work: inout LowRankWorkspace, _ context: PassContext
  ) {
    let kernels = context.kernels
    if steps.isEmpty { kernels.multiply(weight, input, into: &output) }
    for (index, step) in steps.enumerated() {
      step.joinSource(into: &work, context)
      func add(_ bottleneck: borrowing FloatMatrix, to output: inout FloatMatrix) {
        if index == 0 {
          kernels.multiply(weight, input, adding: step.term, of: bottleneck, into: &output)
        } else {
          kernels.add(step.term, of: bottleneck, to: &output)
        }
      }
      if step.readsSource { add(work.joined, to: &output) } else { add(work.down, to: &output) }
      if let factors = step.lengthFactors { kernels.scaleColumns(of: &output, by: factors) }
    }
    // Behind all lengths, which are those of the weight alone.
    if let bias { kernels.addBias(bias, to: &output) }
    for step in steps {
      guard let bias = step.bias else { continue }
      kernels.addBias(bias, scale: step.term.scale, to: &output)
    }
  }
}

/// A low-rank update of a linear layer, ready to run.
struct LinearUpdate: Sendable {
  let update: LowRankUpdate
  let upProjection: LowRankFactor
  /// DoRA's factor of each output, `[outputs]`; nil without.
  let lengthFactors: Tensor?

  init(
    _ update: LowRankUpdate, on weight: Tensor, lengthFactors: Tensor?, with kernels: Kernels
  ) {
    self.update = update
    upProjection = LowRankFactor(
      update.loraB.transposed, mayRound: weight.elementType.isGrouped, with: kernels)
    self.lengthFactors = lengthFactors
  }
}

/// What one update adds in one kind of pass.
struct LowRankStep: Sendable {
  /// `B`, and where what it multiplies is in a row of `work.down` or `work.joined`.
  let term: LowRankTerm
  let lengthFactors: Tensor?
  /// The bias of `lora_B`, added as the delta is, with the target half of a fusion.
  let bias: Tensor?
  private let update: LowRankUpdate
  private let kind: LowRankUpdate.Term
  private let firstColumn: Int

  /// - Parameter firstColumn: where `A · x` begins in a row of the group's bottlenecks.
  init(_ prepared: LinearUpdate, _ kind: LowRankUpdate.Term, firstColumn: Int) {
    update = prepared.update
    self.kind = kind
    self.firstColumn = firstColumn
    lengthFactors = prepared.lengthFactors
    let sign: Float = if case .delta(let sign) = kind { sign } else { 1 }
    bias = kind == .sourceHalf ? nil : update.outputBias
    term = LowRankTerm(
      prepared.upProjection,
      firstColumn: kind.readsSource ? 0 : firstColumn, scale: sign * update.scaling)
  }

  var readsSource: Bool { kind.readsSource }

  /// Writes to `work.joined` what the update makes of the source and `A · x`, `[rows, r]`.
  func joinSource(into work: inout LowRankWorkspace, _ context: PassContext) {
    switch kind {
    case .delta: break
    case .sourceHalf:
      context.writeSourceRows(of: update.module, rank: update.rank, into: &work.joined)
    case .fused:
      context.writeSourceRows(of: update.module, rank: update.rank, into: &work.source)
      work.joined.reshape(rowCount: work.down.rowCount, columnCount: update.rank)
      let columns = firstColumn..<firstColumn + update.rank
      for row in 0..<work.down.rowCount {
        work.joined.setRow(row, to: row, of: work.down, columns: columns)
      }
      update.fuse(work.source, into: &work.joined, texts: context.segments.map(\.rows))
    }
  }
}

extension LowRankUpdate.Term {
  var readsSource: Bool {
    if case .delta = self { false } else { true }
  }

  /// Whether it takes `A · x` of the present text.
  var readsInput: Bool { self != .sourceHalf }
}
