import Kernels

/// Grouped-query self-attention with rotary positions, and what Gemma 2 adds: a soft cap on scores
/// and a window on how far a layer looks back.
struct Attention: Sendable {
  let queryProjection: Linear
  let keyProjection: Linear
  let valueProjection: Linear
  let outputProjection: Linear
  let configuration: ModelConfiguration

  /// Reads the four projections under `prefix`, `model.layers.0.self_attn`.
  init(
    _ prefix: String, _ configuration: ModelConfiguration,
    _ weights: inout WeightLoader
  ) throws {
    let hidden = configuration.hiddenSize
    let hasBias = configuration.hasAttentionBias
    queryProjection = try weights.linear(
      "\(prefix).q_proj", configuration.queryWidth, hidden, hasBias: hasBias)
    keyProjection = try weights.linear(
      "\(prefix).k_proj", configuration.keyValueWidth, hidden, hasBias: hasBias)
    valueProjection = try weights.linear(
      "\(prefix).v_proj", configuration.keyValueWidth, hidden, hasBias: hasBias)
    outputProjection = try weights.linear(
      "\(prefix).o_proj", hidden, configuration.queryWidth, hasBias: hasBias)
    self.configuration = configuration
  }

  /// Reads `work.normed`, adds the chunk to the cache, writes `work.branch`.
  func apply(_ work: inout Workspace, _ cache: KeyValueCache, _ context: PassContext) {
    let kernels = context.kernels
    kernels.prepare(
      &work.normed,
      for: [queryProjection.weight, keyProjection.weight, valueProjection.weight])
    queryProjection.apply(work.normed, into: &work.queries, context)
    keyProjection.apply(work.normed, into: &work.keys, context)
    valueProjection.apply(work.normed, into: &work.values, context)

    rotate(&work.queries, context)
    rotate(&work.keys, context)
    let rows = 0..<work.queries.rowCount
    kernels.append(keys: work.keys, values: work.values, rows: rows, to: cache)
    kernels.attend(
      queries: work.queries, texts: [Kernels.TextRows(rows: rows, cache: cache)],
      scale: configuration.attentionScale, softCap: configuration.attentionSoftCap,
      into: &work.attended.values)
    kernels.prepare(&work.attended, for: [outputProjection.weight])
    outputProjection.apply(work.attended, into: &work.branch, context)
  }

  private func rotate(_ heads: inout FloatMatrix, _ context: PassContext) {
    context.kernels.rotate(
      &heads, headDimension: configuration.headDimension,
      inverseFrequencies: configuration.rope.inverseFrequencies,
      firstPosition: context.firstPosition, attentionFactor: 1)
  }
}
