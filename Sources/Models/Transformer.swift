import Adapters
import Kernels
import Tensors

/// A decoder-only transformer: embeddings start a residual stream, layers add to it, a norm and a
/// head make logits of it.
///
/// Architectures differ in their layers and in a few constants; see `ArchitectureTraits`.
struct Transformer: Sendable {
  let configuration: ModelConfiguration
  let embedding: Embedding
  let layers: [any TransformerLayer]
  let finalNorm: RMSNorm
  /// From hidden states to logits, `[vocabularySize, hiddenSize]`.
  let outputHead: LinearGroup

  /// Takes the weights from `weights`, naming each tensor as the checkpoint does.
  init(_ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
    self.configuration = configuration
    embedding = try weights.embedding("model.embed_tokens", configuration)
    let layerType = configuration.architecture.traits.layerType
    var layers: [any TransformerLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(try layerType.init(index, configuration, &weights))
    }
    self.layers = layers
    finalNorm = try weights.norm("model.norm", configuration)
    outputHead = weights.group(
      try weights.outputHead(tiedTo: embedding.weight, configuration))
  }
}

/// One layer of a transformer.
protocol TransformerLayer: Sendable {
  var attention: Attention { get }
  var mlp: GatedMLP { get }

  /// Takes the weights of layer `index`, naming each tensor as the checkpoint does.
  init(_ index: Int, _ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws

  /// Adds what the layer has to say to `work.hidden`, `[rows, hiddenSize]`.
  func apply(_ work: inout Workspace, _ context: PassContext)
}

extension Transformer {
  /// The most numbers of bottlenecks that a row has anywhere.
  var lowRankWidth: Int {
    let groups = layers.flatMap {
      [
        $0.attention.inputProjections, $0.attention.outputProjection, $0.mlp.inputProjections,
        $0.mlp.downProjection,
      ]
    }
    let widths = (groups + [outputHead]).map(\.lowRankWidth)
    return (widths + embedding.updates.map(\.update.rank)).max() ?? 0
  }

  /// Sends the rows of a pass through all layers; leaves the residual stream in `work.hidden`.
  ///
  /// - Parameter states: get what enters each layer, in a pass over a source.
  func advance(
    _ context: PassContext, _ work: inout Workspace, recordingInto states: SourceStates? = nil
  ) {
    let kernels = context.kernels
    embedding.apply(into: &work.hidden, &work.lowRank, context)
    if configuration.embeddingScale != 1 {
      kernels.scale(&work.hidden, by: configuration.embeddingScale)
    }
    writeRotations(&work, context)
    for layer in layers {
      states?.record(work.hidden, for: layer.attention.fusedLayers, kernels)
      layer.apply(&work, context)
    }
    states?.advance(by: context.tokens.count)
    for segment in context.segments { segment.state.advance(by: segment.rows.count) }
  }

  /// Writes by what the rows of a pass turn, each by its position in its text.
  private func writeRotations(_ work: inout Workspace, _ context: PassContext) {
    work.rotations.rowCount = context.tokens.count
    if configuration.localRope != nil { work.localRotations.rowCount = context.tokens.count }
    for segment in context.segments {
      segment.write(segment.state.rope, into: &work.rotations, context.kernels)
      if let local = segment.state.localRope {
        segment.write(local, into: &work.localRotations, context.kernels)
      }
    }
  }

  /// Writes the logits of the residual stream in `work.hidden` to `work.logits`,
  /// `[rows, vocabularySize]`.
  ///
  /// - Parameter onlyLast: the last row alone, which is all that a prompt needs.
  func writeLogits(_ work: inout Workspace, onlyLast: Bool, _ context: PassContext) {
    let kernels = context.kernels
    if onlyLast { work.hidden.keepLastRow() }
    finalNorm.apply(work.hidden, into: &work.normed.values, kernels)
    outputHead.prepare(&work.normed, &work.lowRank, context)
    if work.logits.rowCapacity < work.hidden.rowCount {
      work.logits = FloatMatrix(
        rowCapacity: work.hidden.rowCount, columnCount: configuration.vocabularySize)
    }
    outputHead.apply(0, work.normed, into: &work.logits, &work.lowRank, context)
    if let cap = configuration.finalSoftCap { kernels.softCap(&work.logits, at: cap) }
  }
}
