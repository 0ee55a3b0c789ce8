import Adapters
import Kernels
import Tensors

/// A decoder-only transformer; each architecture is one conforming type in one file.
///
/// Embeddings start a residual stream, layers add to it, a norm and a head make logits of it.
protocol Decoder: Sendable {
  associatedtype Layer: DecoderLayer

  var configuration: ModelConfiguration { get }
  /// One row a token, `[vocabularySize, hiddenSize]`.
  var embedTokens: Tensor { get }
  /// What embeddings are multiplied by before the first layer.
  var embeddingScale: Float { get }
  var layers: [Layer] { get }
  var finalNorm: RMSNorm { get }
  /// From hidden states to logits, `[vocabularySize, hiddenSize]`.
  var outputHead: Linear { get }

  /// Takes the weights from `weights`, naming each tensor as the checkpoint does.
  init(_ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws
}

/// One layer of a decoder.
protocol DecoderLayer: Sendable {
  var attention: Attention { get }

  /// Adds what the layer has to say to `work.hidden`, `[positions, hiddenSize]`.
  func apply(_ work: inout Workspace, _ cache: KeyValueCache, _ context: PassContext)
}

extension Decoder {
  /// Sends `tokens`, no more than a chunk, through all layers; leaves the residual stream in
  /// `state.workspace.hidden`.
  ///
  /// - Parameter recorder: collects the states that enter each layer, in a pass over a source.
  func advance(
    _ state: inout DecodingState, over tokens: ArraySlice<Int>, _ kernels: Kernels,
    recordingInto recorder: inout SourceStates.Recorder?
  ) {
    let context = state.context(kernels)
    kernels.gatherRows(Array(tokens), of: embedTokens, into: &state.workspace.hidden)
    if embeddingScale != 1 { kernels.scale(&state.workspace.hidden, by: embeddingScale) }
    for (layer, cache) in zip(layers, state.caches) {
      recorder?.record(
        state.workspace.hidden,
        for: [layer.attention.queryProjection, layer.attention.valueProjection], kernels)
      layer.apply(&state.workspace, cache, context)
    }
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
