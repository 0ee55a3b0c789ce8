/// What one module of a checkpoint is called by Hugging Face and by GGUF; `N` stands for a layer.
///
/// The one place where these names are quoted. A tensor is a module and `.weight` or `.bias`.
struct GGUFModuleName: Sendable, Hashable {
  /// What a module is, as far as GGUF treats it in a way of its own.
  enum Role: Sendable, Hashable {
    case linear
    /// A linear layer whose rows are rotated by position, and may be permuted for it.
    case query, key
    /// A table of rows, not a product.
    case embedding
    case norm

    var hasBias: Bool { self != .norm && self != .embedding }
  }

  let huggingFace: String
  let gguf: String
  let role: Role
  let architectures: Set<GGUFArchitecture>

  private init(
    _ huggingFace: String, _ gguf: String, _ role: Role = .linear,
    in architectures: Set<GGUFArchitecture> = Set(GGUFArchitecture.allCases)
  ) {
    self.huggingFace = huggingFace
    self.gguf = gguf
    self.role = role
    self.architectures = architectures
  }

  static let all: [GGUFModuleName] = [
    GGUFModuleName("model.embed_tokens", "token_embd", .embedding),
    // The others have no tensor for it: their head is always the embedding.
    GGUFModuleName("lm_head", "output", in: [.llama, .qwen2, .qwen3, .gemma3]),
    GGUFModuleName("model.norm", "output_norm", .norm),

    GGUFModuleName("model.layers.N.self_attn.q_proj", "blk.N.attn_q", .query),
    GGUFModuleName("model.layers.N.self_attn.k_proj", "blk.N.attn_k", .key),
    GGUFModuleName("model.layers.N.self_attn.v_proj", "blk.N.attn_v"),
    GGUFModuleName("model.layers.N.self_attn.o_proj", "blk.N.attn_output"),
    GGUFModuleName(
      "model.layers.N.self_attn.q_norm", "blk.N.attn_q_norm", .norm, in: [.qwen3, .gemma3]),
    GGUFModuleName(
      "model.layers.N.self_attn.k_norm", "blk.N.attn_k_norm", .norm, in: [.qwen3, .gemma3]),

    GGUFModuleName("model.layers.N.mlp.gate_proj", "blk.N.ffn_gate"),
    GGUFModuleName("model.layers.N.mlp.up_proj", "blk.N.ffn_up"),
    GGUFModuleName("model.layers.N.mlp.down_proj", "blk.N.ffn_down"),

    GGUFModuleName("model.layers.N.input_layernorm", "blk.N.attn_norm", .norm),
    // One name, two places: before the MLP, or after attention in models that have four norms.
    GGUFModuleName(
      "model.layers.N.post_attention_layernorm", "blk.N.ffn_norm", .norm,
      in: [.llama, .qwen2, .qwen3, .gemma]),
    GGUFModuleName(
      "model.layers.N.post_attention_layernorm", "blk.N.post_attention_norm", .norm,
      in: [.gemma2, .gemma3]),
    GGUFModuleName(
      "model.layers.N.pre_feedforward_layernorm", "blk.N.ffn_norm", .norm, in: [.gemma2, .gemma3]),
    GGUFModuleName(
      "model.layers.N.post_feedforward_layernorm", "blk.N.post_ffw_norm", .norm,
      in: [.gemma2, .gemma3]),
  ]
}
