import Kernels

extension ArchitectureTraits {
  /// Gemma 2: norms behind the branches too, soft caps, and a window on every other layer.
  static let gemma2 = ArchitectureTraits(
    displayName: "Gemma 2", className: "Gemma2ForCausalLM", layerType: Gemma2Layer.self,
    defaultSizes: [
      "head_dim": 256, "max_position_embeddings": 8192, "num_key_value_heads": 4,
      "sliding_window": 4096,
    ],
    ownKeys: [
      "attention_bias", "attn_logit_softcapping", "final_logit_softcapping", "hidden_activation",
      "layer_types", "query_pre_attn_scalar", "sliding_window", "sliding_window_size",
      "use_bidirectional_attention",
    ],
    activationKey: "hidden_activation", defaultActivation: "gelu_pytorch_tanh", isGemma: true,
    windows: .allButEvery(2),
    defaultSoftCaps: ["attn_logit_softcapping": 50, "final_logit_softcapping": 30])
}

/// A layer of Gemma 2 and 3: a norm before and after each branch.
///
/// Soft caps, windows and norms of heads are `Attention`'s, its other constants the configuration's. After
/// `modeling_gemma2.py` of transformers.
struct Gemma2Layer: TransformerLayer {
  let inputNorm: RMSNorm
  let attention: Attention
  let postAttentionNorm: RMSNorm
  let preFeedforwardNorm: RMSNorm
  let mlp: GatedMLP
  let postFeedforwardNorm: RMSNorm

  init(_ index: Int, _ configuration: ModelConfiguration, _ weights: inout WeightLoader) throws {
    let prefix = "model.layers.\(index)"
    inputNorm = try weights.norm("\(prefix).input_layernorm", configuration)
    attention = try Attention("\(prefix).self_attn", layer: index, configuration, &weights)
    postAttentionNorm = try weights.norm("\(prefix).post_attention_layernorm", configuration)
    preFeedforwardNorm = try weights.norm("\(prefix).pre_feedforward_layernorm", configuration)
    mlp = try GatedMLP("\(prefix).mlp", configuration, &weights)
    postFeedforwardNorm = try weights.norm("\(prefix).post_feedforward_layernorm", configuration)
  }

  func apply(_ work: inout Workspace, _ context: PassContext) {
    let kernels = context.kernels
    inputNorm.apply(work.hidden, into: &work.normed.values, kernels)
    attention.apply(&work, context)
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
