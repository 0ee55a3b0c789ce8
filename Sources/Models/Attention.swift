import Kernels

/// Grouped-query self-attention with rotary positions, and what some architectures add: norms of
/// queries and keys, a soft cap on scores, a window on how far a layer looks back.
struct Attention: Sendable {
  /// Query, key and value.
  let inputProjections: LinearGroup
  let outputProjection: LinearGroup
  /// Norms of each head, `[headDimension]`; nil for most architectures.
  let queryNorm: RMSNorm?
  let keyNorm: RMSNorm?
  let configuration: ModelConfiguration
  /// Which of a text's caches is this layer's.
  let layer: Int

  /// Reads the projections and norms under `prefix`, `model.layers.0.self_attn`.
  init(
    _ prefix: String, layer: Int, _ configuration: ModelConfiguration,
    _ weights: inout WeightLoader
  ) throws {
    let hidden = configuration.hiddenSize
    let hasBias = configuration.hasQueryKeyValueBias
    inputProjections = weights.group(
      try weights.linear(
        "\(prefix).q_proj", configuration.queryWidth, hidden, hasBias: hasBias),
      try weights.linear(
        "\(prefix).k_proj", configuration.keyValueWidth, hidden, hasBias: hasBias),
      try weights.linear(
        "\(prefix).v_proj", configuration.keyValueWidth, hidden, hasBias: hasBias))
    outputProjection = weights.group(
      try weights.linear(
        "\(prefix).o_proj", hidden, configuration.queryWidth,
        hasBias: configuration.hasAttentionOutputBias))
    func norm(_ name: String) throws -> RMSNorm? {
      guard configuration.hasQueryKeyNorms else { return nil }
      return try weights.norm(
        "\(prefix).\(name)", configuration, width: configuration.headDimension)
    }
    queryNorm = try norm("q_norm")
    keyNorm = try norm("k_norm")
    self.configuration = configuration
    self.layer = layer
  }

  /// Reads `work.normed`, adds the rows to their texts' caches, writes `work.branch`.
  func apply(_ work: inout Workspace, _ context: PassContext) {
    let kernels = context.kernels
    inputProjections.prepare(&work.normed, &work.lowRank, context)
    inputProjections.apply(0, work.normed, into: &work.queries, &work.lowRank, context)
    inputProjections.apply(1, work.normed, into: &work.keys, &work.lowRank, context)
    inputProjections.apply(2, work.normed, into: &work.values, &work.lowRank, context)

    queryNorm?.applyToHeads(of: &work.queries, kernels)
    keyNorm?.applyToHeads(of: &work.keys, kernels)
    turn(&work, kernels)
    attend(&work, context)
    outputProjection.prepare(&work.attended, &work.lowRank, context)
    outputProjection.apply(0, work.attended, into: &work.branch, &work.lowRank, context)
  }

  /// The linears that FLARE fuses with a source: query and value.
  var fusedLayers: [Linear] { [inputProjections.linears[0], inputProjections.linears[2]] }

  private func turn(_ work: inout Workspace, _ kernels: Kernels) {
    if configuration.usesLocalRope(layer: layer) {
      kernels.rotate(&work.queries, by: work.localRotations)
      kernels.rotate(&work.keys, by: work.localRotations)
    } else {
      kernels.rotate(&work.queries, by: work.rotations)
      kernels.rotate(&work.keys, by: work.rotations)
    }
  }

  private func attend(_ work: inout Workspace, _ context: PassContext) {
    for segment in context.segments {
      context.kernels.append(
        keys: work.keys, values: work.values, rows: segment.rows, to: segment.state.caches[layer])
    }
    let texts = context.segments.map {
      Kernels.TextRows(rows: $0.rows, cache: $0.state.caches[layer])
    }
    context.kernels.attend(
      queries: work.queries, texts: texts, scale: configuration.attentionScale,
      softCap: configuration.attentionSoftCap, into: &work.attended.values)
  }
}
