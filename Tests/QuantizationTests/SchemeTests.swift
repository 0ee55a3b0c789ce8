import Kernels
import Quantization
import Tensors
import Testing

@Suite struct `A quantization scheme` {
  struct Row: CustomTestStringConvertible {
    var name: String
    var shape: Shape = [64, 64]
    var type: ElementType = .bfloat16
    var decision: QuantizationScheme.Decision

    var testDescription: String { "\(name) \(shape) \(type)" }
  }

  @Test(arguments: [
    Row(name: "model.layers.0.self_attn.q_proj.weight", decision: .quantize(.groupedInt4)),
    Row(name: "model.layers.0.mlp.down_proj.weight", decision: .quantize(.groupedInt4)),
    Row(name: "model.embed_tokens.weight", decision: .quantize(.groupedInt8)),
    Row(name: "lm_head.weight", decision: .quantize(.groupedInt8)),
    Row(name: "lm_head.weight", shape: [64, 40], decision: .keep(.columnCount)),
    Row(name: "model.norm.weight", shape: [64], decision: .keep(.notMatrix)),
    Row(name: "model.layers.0.input_layernorm.weight", decision: .keep(.norm)),
    Row(name: "model.layers.0.self_attn.q_proj.bias", decision: .keep(.notWeight)),
    Row(name: "weight", decision: .keep(.notWeight)),
    Row(name: "a.weight", type: .int32, decision: .keep(.notFloat)),
    Row(name: "a.weight", type: .groupedInt8, decision: .keep(.alreadyQuantized)),
    Row(name: "a.weight", type: .groupedQ4K, decision: .keep(.alreadyQuantized)),
  ])
  func `decides by name, shape and type`(row: Row) {
    let info = TensorInfo(name: row.name, shape: row.shape, elementType: row.type)
    #expect(QuantizationScheme.int4.decision(for: info) == row.decision)
  }

  @Test func `of 8 bits makes everything int8 that the one of 4 quantizes`() {
    for name in ["a.weight", "model.embed_tokens.weight"] {
      let info = TensorInfo(name: name, shape: [64, 64], elementType: .float32)
      #expect(QuantizationScheme.int8.decision(for: info) == .quantize(.groupedInt8))
    }
  }
}

/// Tensors held in memory.
private struct MemoryTensors: TensorSource {
  var tensors: [(name: String, tensor: Tensor)]

  var tensorInfos: [TensorInfo] {
    tensors.map {
      TensorInfo(name: $0.name, shape: $0.tensor.shape, elementType: $0.tensor.elementType)
    }
  }

  func info(named name: String) -> TensorInfo? { tensorInfos.first { $0.name == name } }

  func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let found = tensors.first(where: { $0.name == name }) else {
      throw TensorSourceError(missing: name, in: self)
    }
    return found.tensor
  }
}

@Suite struct `A quantized view` {
  private let base = MemoryTensors(tensors: [
    ("a.weight", floatTensor(normalFloats(20 * 64, seed: 10), rows: 20, columns: 64)),
    ("a.bias", floatTensor(normalFloats(64, seed: 11), rows: 1, columns: 64)),
    ("bad.weight", floatTensor(Array(repeating: .nan, count: 32), rows: 1, columns: 32)),
  ])

  @Test func `promises the types that its tensors have`() throws {
    let kernels = try Kernels(threadCount: 1)
    let view = ConvertedTensors(base, scheme: .int4, with: kernels)
    #expect(view.tensorInfos.map(\.name) == base.tensorInfos.map(\.name))
    #expect(view.tensorInfos.map(\.elementType) == [.groupedInt4, .float32, .groupedInt4])
    for name in ["a.weight", "a.bias"] {
      let tensor = try view.tensor(named: name)
      #expect(view.info(named: name)?.elementType == tensor.elementType)
      #expect(view.info(named: name)?.byteCount == tensor.byteCount)
    }
    #expect(view.info(named: "b.weight") == nil)
    let direct = try quantize(
      try base.tensor(named: "a.weight"), as: .groupedInt4, with: kernels)
    #expect(bytes(of: try view.tensor(named: "a.weight")) == bytes(of: direct))
  }

  @Test func `names the tensor that cannot be quantized`() throws {
    let view = ConvertedTensors(base, scheme: .int8, with: try Kernels(threadCount: 1))
    let error = #expect(throws: TensorSourceError.self) {
      try view.tensor(named: "bad.weight")
    }
    #expect(
      error?.description == "'bad.weight': element [0, 0] is nan, expected a finite number")
  }
}
