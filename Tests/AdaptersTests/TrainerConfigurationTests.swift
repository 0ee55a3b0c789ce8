import JSON
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Adapters

/// `adapter_config.json` of adapters that a trainer's checkpoint holds.
struct TrainerConfigurationTests {
  /// The adapter of that name in a checkpoint that has no other.
  private func adapter(_ name: String) throws -> TrainerAdapter {
    let table = TensorTable(TrainerNamesTests.tensors(adapter: name))
    return try #require(try TrainerCheckpoint(table, path: "run").adapters.first)
  }

  @Test func `what the tensors and the name say is written`() throws {
    let json = try adapter("flare-add").configuration(.init(alpha: 16))
    #expect(json["peft_type"] == "LORA")
    #expect(json["r"] == 2 && json["lora_alpha"] == 16)
    #expect(json["target_modules"] == ["q_proj"])
    #expect(json["fuse_config"] == ["fusion_fn": "add", "cross_attention_config": nil])
  }

  @Test(arguments: [
    ("lora", nil), ("lora-default", nil), ("flare-mul", "mul"), ("flare-matmul", "matmul"),
    ("flare-add_relu", "add_relu"), ("flare-matmul_relu", "matmul_relu"),
  ])
  func `the fusion is in the name`(name: String, function: String?) throws {
    let json = try adapter(name).configuration(.init(alpha: 16))
    #expect(json["fuse_config"]?["fusion_fn"]?.string == function)
  }

  @Test func `a fractional alpha is kept`() throws {
    #expect(try adapter("lora").configuration(.init(alpha: 2.5))["lora_alpha"] == 2.5)
  }

  @Test func `what the file beside says is kept and used`() throws {
    let beside: JSONValue = [
      "peft_type": "LORA", "r": 2, "lora_alpha": 8, "use_rslora": true, "lora_dropout": 0.1,
    ]
    let json = try adapter("flare-add").configuration(.init(), beside: beside)
    #expect(json["lora_alpha"] == 8 && json["use_rslora"] == true && json["lora_dropout"] == 0.1)
  }

  @Test func `the heads of a cross-attention come from the file beside`() throws {
    let path = Vectors.path("pickle/trainer/cross_attention")
    try withTemporaryDirectory { directory in
      let checkpoint = try TrainerCheckpoint(path, ignoresHeads: true)
      let destination = directory.appending("adapter")
      try checkpoint.write(checkpoint.adapters[0], to: destination, .init())
      let json = try JSONValue(contentsOf: destination.appending("adapter_config.json"))
      #expect(json["lora_alpha"] == 12)
      #expect(
        json["fuse_config"] == [
          "fusion_fn": "cross-attention",
          "cross_attention_config": ["num_attention_heads": 2, "hidden_size": 4, "dropout": 0.0],
        ])
    }
    let checkpoint = try TrainerCheckpoint(path, ignoresHeads: true)
    let error = #expect(throws: AdapterError.self) {
      try checkpoint.adapters[0].configuration(.init(alpha: 12, attentionHeadCount: 3))
    }
    #expect(
      error?.description
        == "\(path): adapter 'flare-cross_attention': 3 attention heads do not divide its rank 4")
  }

  static let refusals:
    [(
      label: String, name: String, settings: TrainerAdapterSettings, beside: JSONValue?,
      message: String
    )] = [
      (
        "no alpha", "flare-add", .init(), nil,
        "its lora_alpha is not in the checkpoint, and no adapter_config.json beside it says it. "
          + "Pass --lora-alpha"
      ),
      (
        "another alpha", "flare-add", .init(alpha: 16), ["lora_alpha": 8],
        "--lora-alpha is 16.0, adapter_config.json beside the checkpoint says 8.0"
      ),
      (
        "another rank", "flare-add", .init(), ["r": 8, "lora_alpha": 8],
        "has rank 2, adapter_config.json beside the checkpoint says 8"
      ),
      (
        "another kind", "flare-add", .init(), ["peft_type": "IA3"],
        "'peft_type' is \"IA3\" beside the checkpoint, expected \"LORA\""
      ),
      (
        "another fusion", "flare-add", .init(alpha: 8), ["fuse_config": ["fusion_fn": "mul"]],
        "fuses by 'add' according to its name, but 'mul' is asked for"
      ),
      (
        "a fusion for plain LoRA", "lora", .init(alpha: 8), ["fuse_config": ["fusion_fn": "mul"]],
        "is plain LoRA by its name, but 'mul' is asked for"
      ),
      (
        "two fusions", "flare-fusemt", .init(alpha: 8, fusion: "add"),
        ["fuse_config": ["fusion_fn": "mul"]],
        "--fusion is 'add', adapter_config.json beside the checkpoint says 'mul'"
      ),
      (
        "an unknown fusion", "flare-fusemt", .init(alpha: 8, fusion: "max"), nil,
        "fusion function 'max' is not known (known: add, mul, add_relu, matmul, matmul_relu, "
          + "cross-attention)"
      ),
      (
        "a translation model", "flare-fusemt", .init(alpha: 8), nil,
        "its name does not say by which function it fuses. Pass --fusion, one of add, mul, "
          + "add_relu, matmul, matmul_relu, cross-attention"
      ),
      (
        "a name of somebody else's", "mine", .init(alpha: 8), nil,
        "its name does not say whether it fuses. Pass --fusion, one of none, add, mul, add_relu, "
          + "matmul, matmul_relu, cross-attention"
      ),
      (
        "input fusion", "inputfusion", .init(alpha: 8), nil,
        "was trained with source and target in one text, which is no fusion of states and is not "
          + "supported"
      ),
      (
        "attention without weights", "flare-cross_attention", .init(alpha: 8), nil,
        "fuses by attention, whose weights are not there"
      ),
    ]

  @Test(arguments: refusals.map(\.label))
  func `what is not known or contradicted is refused`(label: String) throws {
    let refusal = try #require(Self.refusals.first { $0.label == label })
    let adapter = try adapter(refusal.name)
    let error = #expect(throws: AdapterError.self) {
      try adapter.configuration(refusal.settings, beside: refusal.beside)
    }
    #expect(error?.description == "run: adapter '\(refusal.name)': \(refusal.message)")
  }

  @Test func `a name of somebody else's is plain when it is said or peft wrote it`() throws {
    let adapter = try adapter("mine")
    for json in [
      try adapter.configuration(.init(alpha: 8, fusion: "none")),
      try adapter.configuration(.init(), beside: ["peft_type": "LORA", "lora_alpha": 8]),
    ] {
      #expect(json["fuse_config"] == nil)
    }
    #expect(
      try adapter.configuration(.init(alpha: 8, fusion: "mul"))["fuse_config"]?["fusion_fn"]
        == "mul")
  }
}
