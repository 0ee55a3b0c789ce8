import JSON
import Models
import SystemPackage
import TestSupport
import Testing

struct ConfigurationTests {
  static let llama: JSONValue = [
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "vocab_size": 100,
  ]

  static let gemma: JSONValue = [
    "model_type": "gemma2", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "head_dim": 32,
  ]

  func read(_ base: JSONValue, _ changes: [String: JSONValue] = [:]) throws -> ModelConfiguration {
    var members = base.object ?? [:]
    for (key, value) in changes { members[key] = value }
    return try ModelConfiguration(huggingFace: .object(members))
  }

  @Test func `absent keys have the defaults of transformers`() throws {
    let llama = try read(Self.llama)
    #expect(llama.keyValueHeadCount == 4)
    #expect(llama.headDimension == 16)
    #expect(llama.rmsNormEpsilon == 1e-6)
    #expect(llama.rope.theta == 10_000)
    #expect(!llama.tiesWordEmbeddings)
    #expect(llama.slidingWindows == [nil, nil])
    let gemma = try read(Self.gemma)
    #expect(gemma.tiesWordEmbeddings)
    #expect(gemma.attentionSoftCap == 50)
    #expect(gemma.finalSoftCap == 30)
    #expect(gemma.attentionScale == 0.0625, "query_pre_attn_scalar is 256, not head_dim")
    #expect(gemma.slidingWindows == [4096, nil, 4096])
  }

  @Test func `a soft cap or a window of null is none`() throws {
    let changes: [String: JSONValue] = [
      "attn_logit_softcapping": nil, "final_logit_softcapping": nil, "sliding_window": nil,
    ]
    let gemma = try read(Self.gemma, changes)
    #expect(gemma.attentionSoftCap == nil)
    #expect(gemma.finalSoftCap == nil)
    #expect(gemma.slidingWindows == [nil, nil, nil])
  }

  @Test func `rope is read in the forms of transformers 4 and 5 alike`() throws {
    let scaling: JSONValue = [
      "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192,
    ]
    var parameters = scaling.object ?? [:]
    parameters["rope_theta"] = 500_000.0
    let old = try read(Self.llama, ["rope_theta": 500_000.0, "rope_scaling": scaling])
    let new = try read(Self.llama, ["rope_parameters": .object(parameters)])
    #expect(old.rope.inverseFrequencies == new.rope.inverseFrequencies)
    #expect(old.rope.scaling == new.rope.scaling)
    let plain = try read(Self.llama, ["rope_theta": 500_000.0])
    #expect(plain.rope.inverseFrequencies != new.rope.inverseFrequencies)
  }

  @Test func `the two forms of the gemma2 vector are one configuration`() throws {
    let directory = Vectors.path("models/gemma2")
    let new = try ModelConfiguration(
      huggingFace: JSONValue(contentsOf: directory.appending("config.json")))
    let old = try ModelConfiguration(
      huggingFace: JSONValue(contentsOf: directory.appending("config.v4.json")))
    #expect(old.slidingWindows == new.slidingWindows)
    #expect(old.rope.inverseFrequencies == new.rope.inverseFrequencies)
    #expect(old.attentionScale == new.attentionScale)
    #expect(old.activation == new.activation)
    #expect(old.attentionSoftCap == new.attentionSoftCap)
  }

  @Test(
    arguments: [
      ("hidden_size", nil, "'hidden_size' is missing"),
      ("hidden_size", 0, "'hidden_size' is 0, expected 1 to 1048576"),
      ("num_hidden_layers", -3, "'num_hidden_layers' is -3"),
      ("num_key_value_heads", 3, "expected a multiple of 'num_key_value_heads' 3"),
      ("head_dim", 7, "'head_dim' is 7, expected an even number up to 256"),
      ("head_dim", 512, "'head_dim' is 512, expected an even number up to 256"),
      ("rms_norm_eps", 0, "'rms_norm_eps' is 0.0, expected a positive number"),
      ("rope_theta", -1, "'rope_theta' is -1.0, expected a number over 1"),
      ("rope_scaling", ["type": "longrope", "factor": 4], "'rope_type' is \"longrope\""),
      ("rope_scaling", ["type": "linear"], "'factor' is missing"),
      ("rope_scaling", ["type": "linear", "factor": 2, "beta_fast": 32], "'beta_fast' is 32"),
      (
        "rope_scaling",
        [
          "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
          "original_max_position_embeddings": -5,
        ], "'original_max_position_embeddings' is -5.0"
      ),
      ("architectures", ["LlamaForSequenceClassification"], "\"LlamaForSequenceClassification\""),
      ("is_causal", false, "'is_causal' is false"),
      ("quantization_config", ["bits": 4], "'quantization_config' is"),
      ("tie_word_embeddings", "yes", "'tie_word_embeddings' is \"yes\", expected true or false"),
      ("sliding_window", 16, "'sliding_window' is 16, which this version does not know for Llama"),
      ("partial_rotary_factor", 0.5, "'partial_rotary_factor' is not 1"),
      ("rope_parameters", ["partial_rotary_factor": 0.5], "'partial_rotary_factor' is 0.5"),
      ("rope_scaling", ["type": "dynamic", "factor": 0.5], "\"dynamic\" has factor 0.5"),
      (
        "rope_scaling",
        ["type": "dynamic", "factor": 2, "original_max_position_embeddings": 1024],
        "expected 1 or more over 'max_position_embeddings' 2048"
      ),
      ("rope_scaling", ["type": "yarn", "factor": -4], "'factor' is -4.0"),
      (
        "rope_scaling", ["type": "yarn", "factor": 4, "beta_fast": 1, "beta_slow": 2],
        "'beta_slow' is 2.0, expected less than 'beta_fast' 1.0"
      ),
      ("rope_scaling", ["type": "yarn", "factor": 4, "long_factor": [1.0]], "'long_factor' is"),
    ] as [(String, JSONValue, String)])
  func `a value that cannot be honoured is refused by name`(
    key: String, value: JSONValue, message: String
  ) {
    let error = #expect(throws: ModelError.self) { try read(Self.llama, [key: value]) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "no error")")
  }

  @Test func `two spellings of one setting that differ are refused`() {
    #expect(throws: ModelError.self) {
      try read(
        Self.llama,
        [
          "rope_parameters": ["rope_type": "default", "rope_theta": 1e4],
          "rope_scaling": ["rope_type": "linear", "factor": 2],
        ])
    }
    #expect(throws: ModelError.self) {
      try read(Self.gemma, ["sliding_window": 16, "sliding_window_size": 32])
    }
    #expect(throws: Never.self) {
      try read(Self.gemma, ["sliding_window": 16, "sliding_window_size": 16])
    }
    let error = #expect(throws: ModelError.self) {
      try read(Self.gemma, ["use_bidirectional_attention": true])
    }
    #expect(error?.description.contains("only causal attention") == true)
  }

  @Test func `layer types of another count or kind are refused`() {
    for types: JSONValue in [
      ["full_attention"], ["full_attention", "chunked_attention", "full_attention"],
    ] {
      #expect(throws: ModelError.self) { try read(Self.gemma, ["layer_types": types]) }
    }
  }
}
