import Kernels

/// The feed-forward block: `down(activation(gate(x)) ⊙ up(x))`.
struct GatedMLP: Sendable {
  /// Gate and up.
  let inputProjections: LinearGroup
  let downProjection: LinearGroup
  let activation: Activation

  /// Reads the three projections under `prefix`, `model.layers.0.mlp`.
  init(
    _ prefix: String, _ configuration: ModelConfiguration, _ weights: inout WeightLoader
  ) throws {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize
    let hasBias = configuration.hasMLPBias
    inputProjections = weights.group(
      try weights.linear("\(prefix).gate_proj", intermediate, hidden, hasBias: hasBias),
      try weights.linear("\(prefix).up_proj", intermediate, hidden, hasBias: hasBias))
    downProjection = weights.group(
      try weights.linear("\(prefix).down_proj", hidden, intermediate, hasBias: hasBias))
    activation = configuration.activation
  }

  /// Reads `work.normed`, writes `work.branch`.
  func apply(_ work: inout Workspace, _ context: PassContext) {
    let kernels = context.kernels
    inputProjections.prepare(&work.normed, &work.lowRank, context)
    inputProjections.apply(0, work.normed, into: &work.gated.values, &work.lowRank, context)
    inputProjections.apply(1, work.normed, into: &work.up, &work.lowRank, context)
    kernels.gate(&work.gated.values, with: work.up, activation: activation)
    downProjection.prepare(&work.gated, &work.lowRank, context)
    downProjection.apply(0, work.gated, into: &work.branch, &work.lowRank, context)
  }
}
