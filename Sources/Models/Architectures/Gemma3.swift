extension ArchitectureTraits {
  /// Gemma 3, text: Gemma 2's block with norms over each head of queries and keys instead of soft
  /// caps, and five layers with a window and a rotary base of their own for each that sees all.
  ///
  /// The released multimodal files leave nearly every size to its default. transformers reads an
  /// `attn_logit_softcapping` and does not apply it, so one that is given is refused. After
  /// `modeling_gemma3.py` of transformers.
  static let gemma3 = ArchitectureTraits(
    displayName: "Gemma 3", className: "Gemma3ForCausalLM", layerType: Gemma2Layer.self,
    defaultSizes: [
      "head_dim": 256, "hidden_size": 2304, "intermediate_size": 9216,
      "max_position_embeddings": 131_072, "num_attention_heads": 8, "num_hidden_layers": 26,
      "num_key_value_heads": 4, "sliding_window": 4096, "vocab_size": 262_208,
    ],
    ownKeys: [
      "_sliding_window_pattern", "attention_bias", "final_logit_softcapping", "hidden_activation",
      "layer_types", "query_pre_attn_scalar", "rope_local_base_freq", "sliding_window",
      "sliding_window_pattern", "use_bidirectional_attention",
    ],
    activationKey: "hidden_activation", defaultActivation: "gelu_pytorch_tanh", isGemma: true,
    hasQueryKeyNorms: true, windows: .allButEvery(6), hasLocalRope: true)
}
