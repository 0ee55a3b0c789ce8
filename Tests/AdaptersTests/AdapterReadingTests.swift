import Adapters
import JSON
import Tensors
import TestSupport
import Testing

struct AdapterReadingTests {
  @Test func `a plain adapter is read with its scaling`() throws {
    let adapter = try AdapterFiles().read()
    #expect(adapter.updates.map(\.module) == [AdapterFiles.module])
    #expect(adapter.updates[0].scaling == 2)
    #expect(adapter.updates[0].rank == 2)
    #expect(adapter.fusion == nil)
  }

  @Test func `rank-stabilised scaling divides by the root of the rank`() throws {
    let adapter = try AdapterFiles().setting("use_rslora", to: true).read()
    #expect(adapter.updates[0].scaling == 4 / Float(2).squareRoot())
  }

  @Test func `the first alpha pattern that matches wins, in the order of the file`() throws {
    let first = JSONValue.object(["q_proj": 6, ".*proj": 20])
    #expect(try AdapterFiles().setting("alpha_pattern", to: first).read().updates[0].scaling == 3)
    let second = JSONValue.object([".*proj": 20, "q_proj": 6])
    #expect(try AdapterFiles().setting("alpha_pattern", to: second).read().updates[0].scaling == 10)
  }

  @Test func `an adapter name inside the keys is left out`() throws {
    let files = AdapterFiles()
    let renamed = files.tensors.map { name, tensor in
      (name.replacing(".weight", with: ".flare-add_relu.weight"), tensor)
    }
    #expect(try files.with(tensors: renamed).read().updates.map(\.module) == [AdapterFiles.module])
  }

  @Test func `a FLARE adapter fuses q and v only`() throws {
    let files = AdapterFiles().setting("fuse_config", to: ["fusion_fn": "add_relu"])
    let adapter = try files.read()
    #expect(adapter.fusion == .addRelu)
    #expect(adapter.updates[0].fusion == .addRelu)
    let keys = files.tensors.map { ($0.0.replacing("q_proj", with: "o_proj"), $0.1) }
    let plain = files.with(tensors: keys).setting("target_modules", to: ["o_proj"])
    let error = #expect(throws: AdapterError.self) { try plain.read() }
    #expect(error?.detail.contains("no q_proj or v_proj is adapted") == true)
  }

  static let refused: [(String, JSONValue, String)] = [
    ("use_dora", true, "'use_dora' is true, but '\(AdapterFiles.module)' has no tensor for it"),
    ("lora_bias", true, "'lora_bias' is true, but '\(AdapterFiles.module)' has no tensor for it"),
    ("alora_invocation_tokens", [7], "makes this an activated LoRA"),
    ("layer_replication", [[0, 1]], "'layer_replication' is [[0,1]] and is not supported"),
    ("peft_type", "IA3", "'peft_type' is \"IA3\", expected \"LORA\""),
    ("modules_to_save", ["lm_head"], "has no tensor of 'lm_head', which 'modules_to_save' names"),
    ("bias", "some", "'bias' is \"some\", expected none, all or lora_only"),
    ("init_lora_weights", "pissa_niter_4", "may change the base weights"),
    ("init_lora_weights", "olora", "may change the base weights"),
    ("init_lora_weights", "corda", "may change the base weights"),
    ("init_lora_weights", "loftq", "may change the base weights"),
    (
      "trainable_token_indices", [1],
      "has no tensor of 'embed_tokens', which 'trainable_token_indices' names"
    ),
    ("something_new", 3, "'something_new' is 3 and is not supported"),
    ("r", 4, "has rank 2, adapter_config.json says 4"),
    ("r", "two", "'r' is \"two\", expected an integer"),
    ("lora_alpha", 0, "expected both non-zero"),
    ("target_modules", ["v_proj"], "leave alone"),
    ("target_modules", [], "leave alone"),
    ("exclude_modules", ["q_proj"], "leave alone"),
    ("layers_to_transform", [1], "leave alone"),
    ("layers_pattern", "blocks", "'layers_pattern' is \"blocks\""),
    ("lora_alpha", 1e300, "is inf, expected a number other than 0"),
    ("alpha_pattern", ["q_proj": 0], "is 0.0, expected a number other than 0"),
    ("rank_pattern", ["([a-z_.0-9]+)+!": 8], "which could take forever to match"),
    ("rank_pattern", [".*.*.*.*.*.*.*x": 8], "which could take forever to match"),
    ("target_modules", "(.|.)*X", "which could take forever to match"),
    ("target_modules", "(.?){60}X", "which could take forever to match"),
    ("target_modules", "((.|.){1,60})X", "which could take forever to match"),
    ("fuse_config", ["fusion_fn": "add", "scale": 2], "'fuse_config' has 'scale' 2"),
    ("rank_pattern", ["(": 2], "\"(\", which is no regular expression"),
    ("fuse_config", ["fusion_fn": "max"], "'fusion_fn' is \"max\", which this version cannot run"),
    (
      "fuse_config", ["fusion_fn": "add", "source_alignment": "left"], "\"left\", which is unknown"
    ),
    (
      "fuse_config", ["fusion_fn": "cross-attention"],
      "'cross_attention_config' is missing, expected an object"
    ),
    (
      "fuse_config",
      ["fusion_fn": "cross-attention", "cross_attention_config": ["num_attention_heads": 2]],
      "has no 'fuse_cross_attention.query.weight'"
    ),
  ]

  @Test(arguments: refused)
  func `an option that would change numbers is refused by name`(
    key: String, value: JSONValue, message: String
  ) throws {
    let error = #expect(throws: AdapterError.self) {
      try AdapterFiles().setting(key, to: value).read()
    }
    #expect(error?.detail.contains(message) == true, "\(error?.description ?? "no error")")
  }

  @Test(arguments: [
    "all-linear", ".*q_proj", "model\\.layers\\.\\d+\\.self_attn\\.(q|k|v)_proj",
    "(?:.*?(?:language|text).*?(?:attn|mlp).*?(?:k_proj|q_proj).*?)"
      + "|(?:\\bmodel\\.layers\\.[\\d]{1,}\\.(?:self_attn|mlp)\\.(?:(?:q_proj|k_proj)))",
  ])
  func `the usual spellings of target modules are read`(targets: String) throws {
    let files = AdapterFiles().setting("target_modules", to: .string(targets))
    #expect(throws: Never.self) { try files.read() }
  }

  @Test(arguments: ["lora_dropout", "revision", "something_new"])
  func `an option that says nothing passes`(key: String) throws {
    for value in [JSONValue.null, false, [], [:], ""] {
      #expect(throws: Never.self) { try AdapterFiles().setting(key, to: value).read() }
    }
  }

  static let a = AdapterFiles().tensors[0]
  static let b = AdapterFiles().tensors[1]
  static let damaged: [(String, [(String, Tensor)])] = [
    ("has lora_A but no lora_B", [a]),
    ("has lora_B but no lora_A", [b]),
    ("holds no tensors", []),
    (
      "holds 'base_model.model.model.norm.weight', which is no part of a low-rank pair",
      [a, b, ("base_model.model.model.norm.weight", Tensor([1], shape: [1]))]
    ),
    (
      "lora_magnitude_vector', but 'use_dora' is not true",
      [a, b, ("\(AdapterFiles.prefix).lora_magnitude_vector", Tensor([1], shape: [1]))]
    ),
    (
      "lora_B.bias', but 'lora_bias' is not true",
      [a, b, ("\(AdapterFiles.prefix).lora_B.bias", Tensor([1], shape: [1]))]
    ),
    (
      "base_layer.bias', but 'bias' is none",
      [a, b, ("\(AdapterFiles.prefix).base_layer.bias", Tensor([1], shape: [1]))]
    ),
    (
      "this is a dump of a whole model",
      [a, b, ("\(AdapterFiles.prefix).base_layer.weight", b.1)]
    ),
    (
      "but 'trainable_token_indices' does not name its module",
      [
        a, b,
        (
          "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta",
          Tensor([1], shape: [1, 1])
        ),
      ]
    ),
    ("is of no kind that this version knows", [a, b, ("base_model.model.scales", b.1)]),
    (
      "but 'fusion_fn' is not \"cross-attention\"",
      [a, b, ("\(AdapterFiles.prefix).fuse_cross_attention.query.weight", b.1)]
    ),
    ("has 'proj.weight' alone", [a, b, ("proj.weight", b.1)]),
    (
      "projects a source, but has no 'fuse_config'",
      [a, b, ("proj.weight", b.1), ("proj.bias", Tensor([1, 2, 3, 4, 5, 6], shape: [6]))]
    ),
    (
      "lora_A of '\(AdapterFiles.module)' is [2, 4] and lora_B is [4, 3]",
      [a, (b.0, Tensor(Array(repeating: 1, count: 12), shape: [4, 3]))]
    ),
    ("holds nan at element 1", [(a.0, Tensor([1, .nan, 0, 0, 0, 0, 0, 0], shape: [2, 4])), b]),
    (
      "base_layer.weight' holds values that are not numbers",
      [
        a, b,
        (
          "base_model.model.model.embed_tokens.base_layer.weight",
          Tensor([1, .infinity], shape: [1, 2])
        ),
      ]
    ),
    ("every update is zero", [a, (b.0, Tensor(Array(repeating: 0, count: 12), shape: [6, 2]))]),
    (
      "holds tensors of several adapters ('', 'x')",
      [
        a, b, ("\(AdapterFiles.prefix)2.lora_A.x.weight", a.1),
        ("\(AdapterFiles.prefix)2.lora_B.x.weight", b.1),
      ]
    ),
    (
      "is I32 [6, 2], expected F32, F16 or BF16",
      [a, (b.0, Tensor(shape: [6, 2], elementType: .int32) { _ in })]
    ),
  ]

  @Test(arguments: damaged)
  func `a damaged adapter file is refused`(message: String, tensors: [(String, Tensor)]) throws {
    let error = #expect(throws: AdapterError.self) {
      try AdapterFiles().with(tensors: tensors).read()
    }
    #expect(error?.detail.contains(message) == true, "\(error?.description ?? "no error")")
  }
}
