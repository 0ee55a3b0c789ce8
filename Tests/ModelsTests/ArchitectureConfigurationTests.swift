import JSON
import Kernels
import Models
import Testing

/// What `config.json` means for each architecture beyond Llama and Gemma 2.
struct ArchitectureConfigurationTests {
  static let sizes: JSONObject = [
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 32,
    "vocab_size": 100,
  ]

  func read(_ modelType: String, _ changes: [String: JSONValue] = [:]) throws -> ModelConfiguration
  {
    var members = Self.sizes
    members["model_type"] = .string(modelType)
    for (key, value) in changes { members[key] = value }
    return try ModelConfiguration(huggingFace: .object(members))
  }

  func refusal(_ modelType: String, _ changes: [String: JSONValue]) -> String {
    let error = #expect(throws: ModelError.self) { try read(modelType, changes) }
    return error?.description ?? "no error"
  }

  struct Defaults: CustomTestStringConvertible {
    let modelType: String
    var keyValueHeadCount = 32
    var headDimension = 2
    let maximumPositionCount: Int
    var windows: [Int?] = [nil, nil, nil, nil]
    var isGemma = false
    var testDescription: String { modelType }
  }

  static let defaults = [
    Defaults(modelType: "llama", maximumPositionCount: 2048),
    Defaults(
      modelType: "mistral", keyValueHeadCount: 8, maximumPositionCount: 131_072,
      windows: [4096, 4096, 4096, 4096]),
    Defaults(modelType: "qwen2", maximumPositionCount: 32_768),
    Defaults(modelType: "qwen3", headDimension: 128, maximumPositionCount: 32_768),
    Defaults(
      modelType: "gemma", keyValueHeadCount: 16, headDimension: 256, maximumPositionCount: 8192,
      isGemma: true),
    Defaults(
      modelType: "gemma2", keyValueHeadCount: 4, headDimension: 256, maximumPositionCount: 8192,
      windows: [4096, nil, 4096, nil], isGemma: true),
    Defaults(
      modelType: "gemma3_text", keyValueHeadCount: 4, headDimension: 256,
      maximumPositionCount: 131_072, windows: [4096, 4096, 4096, 4096], isGemma: true),
  ]

  @Test(arguments: defaults)
  func `absent keys have the defaults of transformers`(expected: Defaults) throws {
    let model = try read(expected.modelType)
    #expect(model.architecture.rawValue == expected.modelType)
    #expect(model.keyValueHeadCount == expected.keyValueHeadCount)
    #expect(model.headDimension == expected.headDimension)
    #expect(model.maximumPositionCount == expected.maximumPositionCount)
    #expect(model.slidingWindows == expected.windows)
    #expect(model.tiesWordEmbeddings == expected.isGemma)
    #expect(model.normsAreOffsetByOne == expected.isGemma)
    #expect(model.embeddingScale == (expected.isGemma ? 8 : 1))
    #expect(model.activation == (expected.isGemma ? .geluTanh : .silu))
    #expect(model.rope.theta == (expected.modelType == "gemma3_text" ? 1_000_000 : 10_000))
  }

  @Test func `null heads for keys are as many as for queries`() throws {
    #expect(try read("mistral", ["num_key_value_heads": nil]).keyValueHeadCount == 32)
  }

  @Test func `biases are where the architecture has them`() throws {
    let qwen2 = try read("qwen2")
    #expect(qwen2.hasQueryKeyValueBias && !qwen2.hasAttentionOutputBias && !qwen2.hasMLPBias)
    for modelType in ["llama", "qwen3", "gemma", "gemma2", "gemma3_text"] {
      let plain = try read(modelType), biased = try read(modelType, ["attention_bias": true])
      #expect(!plain.hasQueryKeyValueBias && !plain.hasAttentionOutputBias)
      #expect(biased.hasQueryKeyValueBias && biased.hasAttentionOutputBias)
    }
    for modelType in ["mistral", "qwen2"] {
      #expect(refusal(modelType, ["attention_bias": true]).contains("'attention_bias' is true"))
    }
  }

  @Test func `queries and keys have norms in Qwen 3 and Gemma 3 alone`() throws {
    let normed = try Architecture.allCases.filter { try read($0.rawValue).hasQueryKeyNorms }
    #expect(normed == [.qwen3, .gemma3])
  }

  @Test func `Mistral has a window on every layer, or none for null`() throws {
    #expect(try read("mistral", ["sliding_window": 7]).slidingWindows == [7, 7, 7, 7])
    #expect(try read("mistral", ["sliding_window": nil]).slidingWindows == [nil, nil, nil, nil])
    #expect(
      refusal("mistral", ["layer_types": ["full_attention"]]).contains("'layer_types' is"))
  }

  @Test(arguments: ["qwen2", "qwen3"])
  func `Qwen has windows on its upper layers if it uses them`(modelType: String) throws {
    let window: [String: JSONValue] = ["sliding_window": 7, "max_window_layers": 3]
    #expect(try read(modelType, window).slidingWindows == [nil, nil, nil, nil])
    let used = window.merging(["use_sliding_window": true]) { $1 }
    #expect(try read(modelType, used).slidingWindows == [nil, nil, nil, 7])
    let all = used.merging(["max_window_layers": 0]) { $1 }
    #expect(try read(modelType, all).slidingWindows == [7, 7, 7, 7])
    let types: JSONValue = [
      "sliding_attention", "full_attention", "full_attention", "sliding_attention",
    ]
    let listed = used.merging(["layer_types": types]) { $1 }
    #expect(try read(modelType, listed).slidingWindows == [7, nil, nil, 7])
    #expect(refusal(modelType, ["layer_types": types]).contains("no 'sliding_window' is set"))
  }

  @Test func `the first Gemma says gelu and means the approximation`() throws {
    #expect(try read("gemma", ["hidden_act": "gelu"]).activation == .geluTanh)
    #expect(
      try read("gemma", ["hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh"]).activation
        == .geluTanh)
    #expect(try read("gemma", ["hidden_act": "silu"]).activation == .silu)
    #expect(
      refusal("gemma", ["hidden_act": "silu", "hidden_activation": "gelu_pytorch_tanh"])
        .contains("'hidden_act' and 'hidden_activation' name different functions"))
    #expect(try read("gemma2", ["hidden_activation": "gelu"]).activation == .gelu)
  }

  // MARK: Gemma 3

  @Test func `Gemma 3 lets one layer in so many see all`() throws {
    for key in ["sliding_window_pattern", "_sliding_window_pattern"] {
      let gemma = try read("gemma3_text", [key: 2, "sliding_window": 7])
      #expect(gemma.slidingWindows == [7, nil, 7, nil])
    }
    #expect(
      try read("gemma3_text", ["sliding_window_pattern": 1]).slidingWindows == [nil, nil, nil, nil])
    #expect(
      refusal("gemma3_text", ["sliding_window_pattern": 2, "_sliding_window_pattern": 3])
        .contains("'sliding_window_pattern' is 2, '_sliding_window_pattern' is 3"))
    #expect(refusal("gemma3_text", ["sliding_window": nil]).contains("no 'sliding_window' is set"))
  }

  @Test func `Gemma 3 turns by two bases, in the forms of transformers 4 and 5 alike`() throws {
    let old = try read(
      "gemma3_text",
      [
        "rope_theta": 50_000.0, "rope_local_base_freq": 700.0,
        "rope_scaling": ["rope_type": "linear", "factor": 8.0], "sliding_window_pattern": 2,
      ])
    let new = try read(
      "gemma3_text",
      [
        "sliding_window_pattern": 2,
        "rope_parameters": [
          "full_attention": ["rope_type": "linear", "factor": 8.0, "rope_theta": 50_000.0],
          "sliding_attention": ["rope_type": "default", "rope_theta": 700.0],
        ],
      ])
    for gemma in [old, new] {
      let local = try #require(gemma.localRope)
      #expect(gemma.rope.theta == 50_000 && gemma.rope.scaling == .linear(factor: 8))
      #expect(local.theta == 700 && local.scaling == RotaryEmbedding.Scaling.none)
      #expect((0..<4).map(gemma.usesLocalRope) == [true, false, true, false])
    }
    #expect(try read("gemma2").localRope == nil)
  }

  @Test func `parameters that Gemma 3 would not read are refused`() {
    let flat: JSONValue = ["rope_type": "linear", "factor": 8.0]
    #expect(
      refusal("gemma3_text", ["rope_parameters": flat])
        .contains("expected an object for each of full_attention, sliding_attention"))
    #expect(
      refusal(
        "gemma3_text",
        ["rope_parameters": ["full_attention": flat], "rope_scaling": flat]
      ).contains("'rope_parameters' and 'rope_scaling' are both set"))
    let yarn: JSONValue = ["rope_type": "yarn", "factor": 8.0, "truncate": false]
    #expect(
      refusal("gemma3_text", ["rope_parameters": ["full_attention": yarn]])
        .contains("'truncate' is false"))
    #expect(
      refusal("gemma3_text", ["attn_logit_softcapping": 50.0])
        .contains("'attn_logit_softcapping' is 50"))
    #expect(
      refusal("qwen2", ["rope_parameters": ["full_attention": flat]])
        .contains("'full_attention' is"))
  }

  @Test func `Gemma sees the past alone`() {
    for modelType in ["gemma", "gemma2", "gemma3_text"] {
      #expect(
        refusal(modelType, ["use_bidirectional_attention": true])
          .contains("'use_bidirectional_attention' is true; only causal attention is supported"))
    }
  }

  // MARK: YaRN

  @Test func `YaRN's factor is the ratio of the lengths where the file has none`() throws {
    let model = try read(
      "llama",
      [
        "max_position_embeddings": 4096,
        "rope_scaling": ["type": "yarn", "original_max_position_embeddings": 1024],
      ])
    guard case .yarn(let yarn) = model.rope.scaling else {
      Issue.record("\(model.rope.scaling) is not YaRN")
      return
    }
    #expect(yarn.factor == 4 && yarn.originalPositionCount == 1024)
    #expect(abs(yarn.attentionFactor - 1.138629) < 1e-6, "0.1 ln 4 + 1")
    #expect(model.maximumPositionCount == 4096)
  }

  @Test func `an unknown architecture is refused with those that are known`() {
    #expect(
      refusal("phi3", [:]).contains(
        "known: llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text, gemma3"))
  }
}
