public import JSON

/// The shape of a published model, to be run with random weights.
public struct ModelShape: Sendable {
  public let name: String
  /// What the model's `config.json` says, as far as it changes numbers.
  public let configuration: JSONValue

  /// The shape of that name; nil when there is none.
  public init?(named name: String) {
    guard let shape = Self.all.first(where: { $0.name == name }) else { return nil }
    self = shape
  }

  private init(_ name: String, _ family: [(String, JSONValue)], _ own: [(String, JSONValue)]) {
    self.name = name
    configuration = .object(JSONObject(family + own))
  }

  /// After the `config.json` that each model is published with.
  public static let all: [ModelShape] = [
    llama3(
      "llama-3.2-1b", hidden: 2048, intermediate: 8192, layers: 16, heads: 32, ropeFactor: 32,
      isTied: true),
    llama3(
      "llama-3.2-3b", hidden: 3072, intermediate: 8192, layers: 28, heads: 24, ropeFactor: 32,
      isTied: true),
    llama3(
      "llama-3.1-8b", hidden: 4096, intermediate: 14336, layers: 32, heads: 32, ropeFactor: 8,
      isTied: false),
    llama2("llama-2-7b"),
    gemma2("gemma-2-2b", hidden: 2304, intermediate: 9216, layers: 26, heads: 8),
    gemma2("gemma-2-9b", hidden: 3584, intermediate: 14336, layers: 42, heads: 16),
    pico,
  ]

  private static let llama: [(String, JSONValue)] = [
    ("model_type", "llama"), ("hidden_act", "silu"), ("rms_norm_eps", 1e-5),
  ]

  private static func llama3(
    _ name: String, hidden: Int, intermediate: Int, layers: Int, heads: Int, ropeFactor: Double,
    isTied: Bool
  ) -> ModelShape {
    ModelShape(
      name, llama,
      [
        ("vocab_size", 128_256), ("hidden_size", .integer(hidden)),
        ("intermediate_size", .integer(intermediate)), ("num_hidden_layers", .integer(layers)),
        ("num_attention_heads", .integer(heads)), ("num_key_value_heads", 8),
        ("head_dim", .integer(name == "llama-3.2-1b" ? 64 : 128)),
        ("max_position_embeddings", 131_072), ("rope_theta", 500_000),
        (
          "rope_scaling",
          [
            "rope_type": "llama3", "factor": .number(ropeFactor), "low_freq_factor": 1,
            "high_freq_factor": 4, "original_max_position_embeddings": 8192,
          ]
        ),
        ("tie_word_embeddings", .boolean(isTied)),
      ])
  }

  private static func llama2(_ name: String) -> ModelShape {
    ModelShape(
      name, llama,
      [
        ("vocab_size", 32_000), ("hidden_size", 4096), ("intermediate_size", 11_008),
        ("num_hidden_layers", 32), ("num_attention_heads", 32), ("num_key_value_heads", 32),
        ("max_position_embeddings", 4096), ("rope_theta", 10_000), ("tie_word_embeddings", false),
      ])
  }

  private static func gemma2(
    _ name: String, hidden: Int, intermediate: Int, layers: Int, heads: Int
  ) -> ModelShape {
    ModelShape(
      name, [("model_type", "gemma2"), ("rms_norm_eps", 1e-6)],
      [
        ("vocab_size", 256_000), ("hidden_size", .integer(hidden)),
        ("intermediate_size", .integer(intermediate)), ("num_hidden_layers", .integer(layers)),
        ("num_attention_heads", .integer(heads)), ("num_key_value_heads", .integer(heads / 2)),
        ("head_dim", 256), ("query_pre_attn_scalar", 256), ("max_position_embeddings", 8192),
        ("rope_theta", 10_000), ("sliding_window", 4096), ("attn_logit_softcapping", 50),
        ("final_logit_softcapping", 30), ("hidden_activation", "gelu_pytorch_tanh"),
        ("tie_word_embeddings", true),
      ])
  }

  /// Nobody's model: small enough to try the command, and to test it.
  private static let pico = ModelShape(
    "pico", llama,
    [
      ("vocab_size", 256), ("hidden_size", 64), ("intermediate_size", 96),
      ("num_hidden_layers", 2), ("num_attention_heads", 4), ("num_key_value_heads", 2),
      ("max_position_embeddings", 512), ("rope_theta", 10_000), ("tie_word_embeddings", true),
    ])
}
