extension ArchitectureTraits {
  /// The first Gemma: Llama's block with Gemma's norms and embeddings.
  ///
  /// Its released files say "gelu" and mean the approximation by tanh; see `ConfigurationFields`.
  /// After `modeling_gemma.py` of transformers.
  static let gemma = ArchitectureTraits(
    displayName: "Gemma", className: "GemmaForCausalLM", layerType: LlamaLayer.self,
    defaultSizes: [
      "head_dim": 256, "max_position_embeddings": 8192, "num_key_value_heads": 16,
    ],
    ownKeys: ["attention_bias", "hidden_act", "hidden_activation", "use_bidirectional_attention"],
    defaultActivation: "gelu_pytorch_tanh", isGemma: true)
}
