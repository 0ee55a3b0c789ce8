import Kernels

extension ArchitectureTraits {
  /// Llama 2, 3, 3.1 and 3.2.
  static let llama = ArchitectureTraits(
    displayName: "Llama", className: "LlamaForCausalLM", layerType: LlamaLayer.self,
    defaultSizes: ["max_position_embeddings": 2048],
    ownKeys: ["attention_bias", "hidden_act", "mlp_bias"])
}

/// A layer of Llama and of every model with the same block: Mistral, Qwen and the first Gemma.
///
/// After `modeling_llama.py` of transformers.
struct LlamaLayer: TransformerLayer {
  let inputNorm: RMSNorm
  let attention: Attention
  let postAttentionNorm: RMSNorm
  let mlp: GatedMLP

  init(_ index: Int, _ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
    let prefix = "model.layers.\(index)"
    inputNorm = try weights.norm("\(prefix).input_layernorm", configuration)
    attention = try Attention("\(prefix).self_attn", layer: index, configuration, &weights)
    postAttentionNorm = try weights.norm("\(prefix).post_attention_layernorm", configuration)
    mlp = try GatedMLP("\(prefix).mlp", configuration, &weights)
  }

  func apply(_ work: inout Workspace, _ context: PassContext) {
    let kernels = context.kernels
    inputNorm.apply(work.hidden, into: &work.normed.values, kernels)
    attention.apply(&work, context)
    kernels.add(work.branch, to: &work.hidden)

    postAttentionNorm.apply(work.hidden, into: &work.normed.values, kernels)
    mlp.apply(&work, context)
    kernels.add(work.branch, to: &work.hidden)
  }
}
