import Kernels
import Tensors

/// Llama 2, 3, 3.1, 3.2 and every model with the same block.
///
/// After `modeling_llama.py` of transformers.
struct Llama: Decoder {
  let configuration: ModelConfiguration
  let embedTokens: Tensor
  let embeddingScale: Float = 1
  let layers: [Layer]
  let finalNorm: RMSNorm
  let outputHead: Linear

  init(_ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
    self.configuration = configuration
    embedTokens = try weights.tensor(
      "model.embed_tokens.weight", [configuration.vocabularySize, configuration.hiddenSize])
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
    let mlp: GatedMLP

    init(_ index: Int, _ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
      let prefix = "model.layers.\(index)"
      inputNorm = try norm("\(prefix).input_layernorm", configuration, &weights)
      attention = try Attention("\(prefix).self_attn", layer: index, configuration, &weights)
      postAttentionNorm = try norm("\(prefix).post_attention_layernorm", configuration, &weights)
      mlp = try GatedMLP("\(prefix).mlp", configuration, &weights)
    }

    func apply(_ work: inout Workspace, _ cache: KeyValueCache, _ context: PassContext) {
      let kernels = context.kernels
      inputNorm.apply(work.hidden, into: &work.normed.values, kernels)
      attention.apply(&work, cache, context)
      kernels.add(work.branch, to: &work.hidden)

      postAttentionNorm.apply(work.hidden, into: &work.normed.values, kernels)
      mlp.apply(&work, context)
      kernels.add(work.branch, to: &work.hidden)
    }
  }

  private static func norm(
    _ module: String, _ configuration: ModelConfiguration, _ weights: inout WeightLoader
  ) throws -> RMSNorm {
    RMSNorm(
      weight: try weights.tensor("\(module).weight", [configuration.hiddenSize]),
      epsilon: configuration.rmsNormEpsilon, isOffsetByOne: false)
  }
}
