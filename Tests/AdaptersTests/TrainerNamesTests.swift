import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

@testable import Adapters

/// Keys of trainers, and the adapters they make.
struct TrainerNamesTests {
  static let layer = "layers.0.self_attn.q_proj"

  /// A model of one weight, in 4, out 6, and an adapter of rank 2 for it.
  static func tensors(
    prefix: String = "encoder.model.", adapter: String = "flare-add"
  ) -> [(String, Tensor)] {
    func tensor(_ shape: Shape) -> Tensor {
      Tensor(Array(repeating: 1, count: shape.elementCount), shape: shape)
    }
    return [
      ("\(prefix)model.\(layer).base_layer.weight", tensor([6, 4])),
      ("\(prefix)model.\(layer).lora_A.\(adapter).weight", tensor([2, 4])),
      ("\(prefix)model.\(layer).lora_B.\(adapter).weight", tensor([6, 2])),
      ("\(prefix)model.norm.weight", tensor([4])),
    ]
  }

  private func open(_ tensors: [(String, Tensor)]) throws -> TrainerCheckpoint {
    try TrainerCheckpoint(TensorTable(tensors), path: "run")
  }

  @Test(arguments: [
    "encoder.base_model.model.", "encoder.base_model.", "encoder.model.", "encoder.",
    "base_model.model.", "base_model.", "model.", "",
  ])
  func `a model is found however it is nested`(prefix: String) throws {
    let checkpoint = try open(Self.tensors(prefix: prefix))
    #expect(
      checkpoint.base.tensorInfos.map(\.name) == [
        "model.\(Self.layer).weight", "model.norm.weight",
      ])
    #expect(checkpoint.adapters.map(\.modules) == [["model.\(Self.layer)"]])
  }

  @Test func `two adapters in one file are kept apart by the name in the key`() throws {
    let checkpoint = try open(Self.tensors() + Self.tensors(adapter: "lora")[1...2])
    #expect(checkpoint.adapters.map(\.name) == ["flare-add", "lora"])
    for adapter in checkpoint.adapters {
      #expect(
        adapter.tensors.tensorInfos.map(\.name) == [
          "base_model.model.model.\(Self.layer).lora_A.weight",
          "base_model.model.model.\(Self.layer).lora_B.weight",
        ])
    }
  }

  @Test func `a projection without a translation model's adapter is a head`() throws {
    let projection = [
      ("proj.weight", Tensor([1, 2, 3, 4], shape: [4, 1])),
      ("proj.bias", Tensor([1, 2, 3, 4], shape: [4])),
    ]
    #expect(throws: AdapterError.self) { try open(Self.tensors() + projection) }
    let checkpoint = try open(Self.tensors(adapter: "flare-fusemt") + projection)
    #expect(checkpoint.heads.isEmpty)
    #expect(checkpoint.adapters[0].tensors.info(named: "proj.weight")?.shape == [4, 1])
  }

  @Test func `target modules are short when they select these layers only`() throws {
    #expect(try open(Self.tensors()).adapters[0].targetModules == ["q_proj"])
    let other = (
      "encoder.model.model.layers.1.self_attn.q_proj.weight", Tensor([1], shape: [1, 1])
    )
    #expect(
      try open(Self.tensors() + [other]).adapters[0].targetModules == ["model.\(Self.layer)"])
  }

  static let defects: [(label: String, tensors: [(String, Tensor)], message: String)] = [
    (
      "no model", [("fc.weight", Tensor([1], shape: [1]))],
      "run: is no checkpoint of FLARE's trainer: no tensor is named like "
        + "'encoder.model.model.layers.0.self_attn.q_proj.base_layer.weight'"
    ),
    (
      "half a pair", Array(tensors().dropLast(2)),
      "run: adapter 'flare-add': 'model.\(layer)' has lora_A but no lora_B"
    ),
    (
      "a pair for no layer", Array(tensors().dropFirst()),
      "run: adapter 'flare-add': adapts 'model.\(layer)', which is no layer of the checkpoint"
    ),
    (
      "a weight twice",
      tensors() + [("encoder.model.model.\(layer).weight", Tensor([1], shape: [1]))],
      "run: has two tensors for 'model.\(layer).weight', one of them "
        + "'encoder.model.model.\(layer).weight'"
    ),
    (
      "another shape",
      tensors().map { name, tensor in
        (name, name.contains("lora_A") ? Tensor([1, 2], shape: [2, 1]) : tensor)
      },
      "run: adapter 'flare-add': lora_A of 'model.\(layer)' is [2, 1] and lora_B is [6, 2], the "
        + "weight [6, 4] needs [r, in] and [out, r]"
    ),
    (
      "DoRA",
      tensors() + [
        (
          "encoder.model.model.\(layer).lora_magnitude_vector.flare-add.weight",
          Tensor([1], shape: [1])
        )
      ],
      "run: tensor 'encoder.model.model.\(layer).lora_magnitude_vector.flare-add.weight' is of an "
        + "adapter of a kind that is not supported; ignoring it could change the numbers"
    ),
    (
      "a saved module",
      tensors() + [
        ("encoder.model.lm_head.modules_to_save.flare-add.weight", Tensor([1], shape: [1]))
      ],
      "run: tensor 'encoder.model.lm_head.modules_to_save.flare-add.weight' is of an adapter of a "
        + "kind that is not supported; ignoring it could change the numbers"
    ),
    (
      "cross-attention of nobody",
      tensors() + [
        (
          "encoder.model.model.\(layer).fuse_cross_attention.query.bias",
          Tensor([1, 2], shape: [2])
        )
      ],
      "run: holds 'encoder.model.model.\(layer).fuse_cross_attention.query.bias', but which adapter "
        + "it belongs to is not known"
    ),
    (
      "a part of a cross-attention",
      tensors(adapter: "flare-cross_attention") + [
        (
          "encoder.model.model.\(layer).fuse_cross_attention.query.bias",
          Tensor([1, 2], shape: [2])
        )
      ],
      "run: adapter 'flare-cross_attention': 'model.\(layer)' lacks 'query.weight' [2, 2] of its "
        + "cross-attention"
    ),
  ]

  @Test(arguments: defects.map(\.label))
  func `what has no place is refused`(label: String) throws {
    let defect = try #require(Self.defects.first { $0.label == label })
    let error = #expect(throws: AdapterError.self) { try open(defect.tensors) }
    #expect(error?.description == defect.message)
  }
}
