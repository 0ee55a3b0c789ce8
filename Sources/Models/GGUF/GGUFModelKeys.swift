package import Adapters

/// The metadata keys of a GGUF model, which begin with the name of its architecture.
package struct GGUFModelKeys: Sendable {
  private let architecture: GGUFArchitecture
  private var prefix: String { architecture.rawValue }

  package init(_ architecture: GGUFArchitecture) { self.architecture = architecture }

  package static let architecture = "general.architecture"
  package static let type = "general.type"
  package static let name = "general.name"
  package static let license = "general.license"
  package static let fileType = "general.file_type"
  package static let quantizationVersion = "general.quantization_version"
  package static let tokenizerModel = "tokenizer.ggml.model"
  /// The `tokenizerModel` of a model that has no tokenizer.
  package static let noTokenizer = "no_vocab"
  package static let chatTemplate = "tokenizer.chat_template"
  /// The names of templates beside the default one.
  package static let chatTemplates = "tokenizer.chat_templates"
  /// The frequency factors of Llama 3's rope, a tensor and no key.
  package static let ropeFactors = "rope_freqs.weight"

  package var contextLength: String { "\(prefix).context_length" }
  package var hiddenSize: String { "\(prefix).embedding_length" }
  package var layerCount: String { "\(prefix).block_count" }
  package var intermediateSize: String { "\(prefix).feed_forward_length" }
  package var headCount: String { "\(prefix).attention.head_count" }
  package var keyValueHeadCount: String { "\(prefix).attention.head_count_kv" }
  package var rmsNormEpsilon: String { "\(prefix).attention.layer_norm_rms_epsilon" }
  package var isCausal: String { "\(prefix).attention.causal" }
  package var keyLength: String { "\(prefix).attention.key_length" }
  package var valueLength: String { "\(prefix).attention.value_length" }
  package var vocabularySize: String { "\(prefix).vocab_size" }
  package var attentionSoftCap: String { "\(prefix).attn_logit_softcapping" }
  package var finalSoftCap: String { "\(prefix).final_logit_softcapping" }
  package var slidingWindow: String { "\(prefix).attention.sliding_window" }
  package var slidingWindowPattern: String { "\(prefix).attention.sliding_window_pattern" }
  package var rotaryDimensions: String { "\(prefix).rope.dimension_count" }
  package var ropeTheta: String { "\(prefix).rope.freq_base" }
  package var localRopeTheta: String { "\(prefix).rope.freq_base_swa" }
  package var ropeScaling: String { "\(prefix).rope.scaling.type" }
  package var ropeFactor: String { "\(prefix).rope.scaling.factor" }
  /// What files of 2023 have for a linear scaling.
  package var oldLinearFactor: String { "\(prefix).rope.scale_linear" }
  package var ropeOriginalLength: String { "\(prefix).rope.scaling.original_context_length" }
  package var ropeAttentionFactor: String { "\(prefix).rope.scaling.attn_factor" }
  package var yarnAttentionFactor: String { "\(prefix).rope.scaling.yarn_attn_factor" }
  package var yarnBetaFast: String { "\(prefix).rope.scaling.yarn_beta_fast" }
  package var yarnBetaSlow: String { "\(prefix).rope.scaling.yarn_beta_slow" }
  package var isFinetuned: String { "\(prefix).rope.scaling.finetuned" }
  /// What files of 2023 say of the rows of q and k, which are pairs in all of them.
  package var rowLayout: String { "\(prefix).tensor_data_layout" }

  /// The fingerprint of the unquantized model that a file was made from.
  package static let baseFingerprint = "flare.base_fingerprint"

  /// Where the exact values of a norm are that cannot be had back from `1 + w`.
  package static func exactNorm(_ tensor: String) -> String { "flare.exact.\(tensor)" }

  /// Whether a key is about this architecture.
  func isOwn(_ key: String) -> Bool { key.hasPrefix(prefix + ".") }

  /// The keys that are read; any other of the architecture may change numbers.
  var known: Set<String> {
    let shared: Set = [
      contextLength, hiddenSize, layerCount, intermediateSize, headCount, keyValueHeadCount,
      rmsNormEpsilon, isCausal, keyLength, valueLength, vocabularySize, rotaryDimensions, ropeTheta,
      ropeScaling, ropeFactor, oldLinearFactor, ropeOriginalLength, ropeAttentionFactor,
      yarnAttentionFactor, yarnBetaFast, yarnBetaSlow, isFinetuned,
    ]
    let own: [String] =
      switch architecture {
      case .llama: [slidingWindow, rowLayout]
      case .qwen2, .qwen3, .gemma: []
      case .gemma2: [slidingWindow, slidingWindowPattern, attentionSoftCap, finalSoftCap]
      case .gemma3: [slidingWindow, slidingWindowPattern, finalSoftCap, localRopeTheta]
      }
    return shared.union(own)
  }
}
