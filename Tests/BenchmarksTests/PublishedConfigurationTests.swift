import Benchmarks
import JSON
import Models
import Testing

/// The `config.json` of released models, as far as it says something about shapes, and how many
/// parameters their authors count.
struct PublishedConfigurationTests {
  struct Release: CustomTestStringConvertible {
    let name: String
    let parameterCount: Int
    let configuration: JSONValue
    var testDescription: String { name }
  }

  static let releases = [
    Release(
      name: "Mistral 7B v0.1", parameterCount: 7_241_732_096,
      configuration: [
        "architectures": ["MistralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14_336, "max_position_embeddings": 32_768, "model_type": "mistral",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05, "rope_theta": 10_000.0, "sliding_window": 4096,
        "tie_word_embeddings": false, "vocab_size": 32_000,
      ]),
    Release(
      name: "Qwen 2.5 0.5B", parameterCount: 494_032_768,
      configuration: [
        "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", "hidden_size": 896,
        "intermediate_size": 4864, "max_position_embeddings": 32_768, "max_window_layers": 24,
        "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1_000_000.0,
        "sliding_window": 32_768, "tie_word_embeddings": true, "use_mrope": false,
        "use_sliding_window": false, "vocab_size": 151_936,
      ]),
    Release(
      name: "Qwen 3 0.6B", parameterCount: 596_049_920,
      configuration: [
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "head_dim": 128,
        "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
        "max_position_embeddings": 40_960, "max_window_layers": 28, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-06, "rope_scaling": nil, "rope_theta": 1_000_000,
        "sliding_window": nil, "tie_word_embeddings": true, "use_sliding_window": false,
        "vocab_size": 151_936,
      ]),
    Release(
      name: "Gemma 2B", parameterCount: 2_506_172_416,
      configuration: [
        "architectures": ["GemmaForCausalLM"], "attention_bias": false, "head_dim": 256,
        "hidden_act": "gelu", "hidden_activation": nil, "hidden_size": 2048,
        "intermediate_size": 16_384, "max_position_embeddings": 8192, "model_type": "gemma",
        "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1,
        "rms_norm_eps": 1e-06, "rope_scaling": nil, "rope_theta": 10_000.0, "vocab_size": 256_000,
      ]),
    Release(
      name: "Gemma 3 1B", parameterCount: 999_885_952,
      configuration: [
        "architectures": ["Gemma3ForCausalLM"], "attention_bias": false,
        "attn_logit_softcapping": nil, "cache_implementation": "hybrid",
        "final_logit_softcapping": nil, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 1152, "intermediate_size": 6912, "max_position_embeddings": 32_768,
        "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 26,
        "num_key_value_heads": 1, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10_000, "rope_scaling": nil, "rope_theta": 1_000_000,
        "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262_144,
      ]),
    Release(
      name: "Gemma 3 4B, its text model", parameterCount: 3_880_263_168,
      configuration: [
        "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255_999,
        "eoi_token_index": 256_000, "image_token_index": 262_144, "initializer_range": 0.02,
        "mm_tokens_per_image": 256, "model_type": "gemma3",
        "text_config": [
          "hidden_size": 2560, "intermediate_size": 10_240, "model_type": "gemma3_text",
          "num_hidden_layers": 34, "rope_scaling": ["factor": 8.0, "rope_type": "linear"],
          "sliding_window": 1024,
        ],
        "vision_config": ["hidden_size": 1152, "model_type": "siglip_vision_model"],
      ]),
  ]

  @Test(arguments: releases)
  func `a released configuration has as many parameters as its authors count`(
    release: Release
  ) throws {
    let configuration = try ModelConfiguration(huggingFace: release.configuration)
    #expect(configuration.parameterCount == release.parameterCount)
  }
}
