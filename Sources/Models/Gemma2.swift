import Kernels

/// A layer of Gemma 2: a norm before and after each branch.
///
/// Its soft caps and windows are `Attention`'s, its other constants the configuration's. After
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
