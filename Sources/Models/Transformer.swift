import Adapters
import Kernels
import Tensors

/// A decoder-only transformer: embeddings start a residual stream, layers add to it, a norm and a
/// head make logits of it.
///
/// Architectures differ in their layers, one file each, and in a few constants.
struct Transformer: Sendable {
  let configuration: ModelConfiguration
  let embedding: Embedding
  let layers: [any TransformerLayer]
  let finalNorm: RMSNorm
  /// From hidden states to logits, `[vocabularySize, hiddenSize]`.
  let outputHead: Linear

  /// Takes the weights from `weights`, naming each tensor as the checkpoint does.
  init(_ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
    self.configuration = configuration
    embedding = try weights.embedding("model.embed_tokens", configuration)
    let layerType: any TransformerLayer.Type =
      switch configuration.architecture {
      case .llama: LlamaLayer.self
      case .gemma2: Gemma2Layer.self
      }
    var layers: [any TransformerLayer] = []
    for index in 0..<configuration.layerCount {
      layers.append(try layerType.init(index, configuration, &weights))
    }
    self.layers = layers
    finalNorm = try weights.norm("model.norm", configuration)
    outputHead = try weights.outputHead(tiedTo: embedding.weight, configuration)
  }
}

/// One layer of a transformer.
protocol TransformerLayer: Sendable {
  var attention: Attention { get }

  /// Takes the weights of layer `index`, naming each tensor as the checkpoint does.
  init(_ index: Int, _ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws

  /// Adds what the layer has to say to `work.hidden`, `[positions, hiddenSize]`.
  func apply(_ work: inout Workspace, _ cache: KeyValueCache, _ context: PassContext)
}

extension TransformerLayer {
  /// The linears that FLARE fuses with a source.
  var fusedLayers: [Linear] { [attention.queryProjection, attention.valueProjection] }
}

extension Transformer {
  /// Sends `tokens`, no more than a chunk, through all layers; leaves the residual stream in
  /// `state.workspace.hidden`.
  ///
  /// - Parameter states: get what enters each layer, in a pass over a source.
  func advance(
    _ state: inout DecodingState, over tokens: ArraySlice<Int>, _ kernels: Kernels,
    recordingInto states: SourceStates? = nil
  ) {
    let context = state.context(kernels)
    embedding.apply(Array(tokens), into: &state.workspace.hidden, context)
    if configuration.embeddingScale != 1 {
      kernels.scale(&state.workspace.hidden, by: configuration.embeddingScale)
    }
    for (layer, cache) in zip(layers, state.caches) {
      states?.record(state.workspace.hidden, for: layer.fusedLayers, kernels)
      layer.apply(&state.workspace, cache, context)
    }
    states?.advance(by: tokens.count)
    state.advance(by: tokens.count)
  }

  /// The logits of the residual stream in `state.workspace.hidden`, `[positions, vocabularySize]`.
  ///
  /// - Parameter onlyLast: the last position alone, which is all that generation needs.
  func logits(
    _ state: inout DecodingState, onlyLast: Bool, _ kernels: Kernels
  ) -> FloatMatrix {
    if onlyLast { state.workspace.hidden.keepLastRow() }
    finalNorm.apply(state.workspace.hidden, into: &state.workspace.normed.values, kernels)
    kernels.prepare(&state.workspace.normed, for: [outputHead.weight])
    var logits = FloatMatrix(
      rowCapacity: state.workspace.hidden.rowCount, columnCount: configuration.vocabularySize)
    outputHead.apply(state.workspace.normed, into: &logits, state.context(kernels))
    if let cap = configuration.finalSoftCap { kernels.softCap(&logits, at: cap) }
    return logits
  }
}
