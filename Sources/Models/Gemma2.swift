import Kernels
import Tensors

/// Gemma 2: a norm before and after each branch, soft caps, and every other layer with a window.
///
/// After `modeling_gemma2.py` of transformers.
struct Gemma2: Decoder {
  let configuration: ModelConfiguration
  let embedTokens: Tensor
  /// The square root of the hidden size.
  let embeddingScale: Float
  let layers: [Layer]
  let finalNorm: RMSNorm
  let outputHead: Linear

  init(_ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
    self.configuration = configuration
    embedTokens = try weights.tensor(
      "model.embed_tokens.weight", [configuration.vocabularySize, configuration.hiddenSize])
    embeddingScale = Float(configuration.hiddenSize).squareRoot()
    var layers: [Layer] = []
    for index in 0..<configuration.layerCount {
      layers.append(try Layer(index, configuration, &weights))
    }
    self.layers = layers
    finalNorm = try Self.norm("model.norm", configuration, &weights)
    outputHead = try weights.outputHead(tiedTo: embedTokens, configuration)
  }

  struct Layer: DecoderLayer {
    let inputNorm: RMSNorm
    let attention: Attention
    let postAttentionNorm: RMSNorm
    let preFeedforwardNorm: RMSNorm
    let mlp: GatedMLP
    let postFeedforwardNorm: RMSNorm

    init(_ index: Int, _ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
      let prefix = "model.layers.\(index)"
      inputNorm = try norm("\(prefix).input_layernorm", configuration, &weights)
      attention = try Attention("\(prefix).self_attn", layer: index, configuration, &weights)
      postAttentionNorm = try norm("\(prefix).post_attention_layernorm", configuration, &weights)
      preFeedforwardNorm = try norm("\(prefix).pre_feedforward_layernorm", configuration, &weights)
      mlp = try GatedMLP("\(prefix).mlp", configuration, &weights)
      postFeedforwardNorm = try norm(
        "\(prefix).post_feedforward_layernorm", configuration, &weights)
    }

    func apply(_ work: inout Workspace, _ cache: KeyValueCache, _ context: PassContext) {
      let kernels = context.kernels
      inputNorm.apply(work.hidden, into: &work.normed.values, kernels)
      attention.apply(&work, cache, context)
      add(postAttentionNorm, &work, kernels)

      preFeedforwardNorm.apply(work.hidden, into: &work.normed.values, kernels)
      mlp.apply(&work, context)
      add(postFeedforwardNorm, &work, kernels)
    }

    /// Adds the branch, normed, to the residual stream.
    private func add(_ norm: RMSNorm, _ work: inout Workspace, _ kernels: Kernels) {
      norm.apply(work.branch, into: &work.normed.values, kernels)
      kernels.add(work.normed.values, to: &work.hidden)
    }
  }

  private static func norm(
    _ module: String, _ configuration: ModelConfiguration, _ weights: inout WeightLoader
  ) throws -> RMSNorm {
    RMSNorm(
      weight: try weights.tensor("\(module).weight", [configuration.hiddenSize]),
      epsilon: configuration.rmsNormEpsilon, isOffsetByOne: true)
  }
}
