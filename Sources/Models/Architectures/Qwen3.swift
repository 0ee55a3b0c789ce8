extension ArchitectureTraits {
  /// Qwen 3, dense: Llama's block with norms over each head of queries and keys.
  ///
  /// After `modeling_qwen3.py` of transformers.
  static let qwen3 = ArchitectureTraits(
    displayName: "Qwen 3", className: "Qwen3ForCausalLM", layerType: LlamaLayer.self,
    defaultSizes: qwenSizes.merging(["head_dim": 128]) { $1 },
    ownKeys: qwenKeys.union(["attention_bias"]),
    hasQueryKeyNorms: true, windows: .upperLayers)
}
