extension ArchitectureTraits {
  /// Qwen 2 and 2.5: Llama's block with a bias on query, key and value, and none on the output.
  ///
  /// After `modeling_qwen2.py` of transformers.
  static let qwen2 = ArchitectureTraits(
    displayName: "Qwen 2", className: "Qwen2ForCausalLM", layerType: LlamaLayer.self,
    defaultSizes: qwenSizes, ownKeys: qwenKeys,
    queryKeyValueBias: .always, attentionOutputBias: .never, windows: .upperLayers)

  /// What Qwen 2 and 3 assume.
  static let qwenSizes = [
    "max_position_embeddings": 32_768, "max_window_layers": 28, "num_key_value_heads": 32,
    "sliding_window": 4096,
  ]

  static let qwenKeys: Set = [
    "hidden_act", "layer_types", "max_window_layers", "sliding_window", "use_sliding_window",
  ]
}
