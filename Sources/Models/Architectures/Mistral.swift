extension ArchitectureTraits {
  /// Mistral: Llama's block without biases, a window on every layer.
  ///
  /// After `modeling_mistral.py` of transformers.
  static let mistral = ArchitectureTraits(
    displayName: "Mistral", className: "MistralForCausalLM", layerType: LlamaLayer.self,
    defaultSizes: [
      "max_position_embeddings": 131_072, "num_key_value_heads": 8, "sliding_window": 4096,
    ],
    ownKeys: ["hidden_act", "sliding_window"],
    queryKeyValueBias: .never, attentionOutputBias: .never, windows: .everyLayer)
}
