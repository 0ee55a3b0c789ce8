import Kernels

/// The feed-forward block: `down(activation(gate(x)) ⊙ up(x))`.
struct GatedMLP: Sendable {
  let gateProjection: Linear
  let upProjection: Linear
  let downProjection: Linear
  let activation: Activation

  /// Reads the three projections under `prefix`, `model.layers.0.mlp`.
  init(
    _ prefix: String, _ configuration: ModelConfiguration, _ weights: inout WeightLoader
  ) throws {
    let hidden = configuration.hiddenSize
    let intermediate = configuration.intermediateSize
    let hasBias = configuration.hasMLPBias
    gateProjection = try weights.linear(
      "\(prefix).gate_proj", intermediate, hidden, hasBias: hasBias)
    upProjection = try weights.linear("\(prefix).up_proj", intermediate, hidden, hasBias: hasBias)
    downProjection = try weights.linear(
      "\(prefix).down_proj", hidden, intermediate, hasBias: hasBias)
    activation = configuration.activation
  }

  /// Reads `work.normed`, writes `work.branch`.
  func apply(_ work: inout Workspace, _ context: PassContext) {
    let kernels = context.kernels
    kernels.prepare(&work.normed, for: [gateProjection.weight, upProjection.weight])
    gateProjection.apply(work.normed, into: &work.gated.values, context)
    upProjection.apply(work.normed, into: &work.up, context)
    kernels.gate(&work.gated.values, with: work.up, activation: activation)
    kernels.prepare(&work.gated, for: [downProjection.weight])
    downProjection.apply(work.gated, into: &work.branch, context)
  }
}
