import Kernels
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct `A view of tensors in other types` {
  private let table = TensorTable([
    "a": floatTensor(normalFloats(512, seed: 1), rows: 2, columns: 256),
    "v": Tensor([1, -2, 70000], shape: [3]),
    "n": Tensor(bytes: [1, 2], shape: [2], elementType: .int8),
  ])

  @Test func `gives what it says`() throws {
    let kernels = try Kernels(threadCount: 1)
    let view = ConvertedTensors(table, as: ["a": .blockQ4K, "v": .bfloat16], with: kernels)
    for info in view.tensorInfos {
      let tensor = try view.tensor(named: info.name)
      #expect(tensor.elementType == info.elementType && tensor.shape == info.shape)
      #expect(view.info(named: info.name) == info)
    }
    #expect(view.tensorInfos.map(\.elementType) == [.blockQ4K, .bfloat16, .int8])
    let direct = try quantize(table.tensor(named: "a"), as: .blockQ4K, with: kernels)
    #expect(try view.tensor(named: "a").byteArray == direct.byteArray)
  }

  @Test func `blocks become other blocks by way of their elements`() throws {
    let kernels = try Kernels(threadCount: 1)
    let blocks = try quantize(table.tensor(named: "a"), as: .blockQ80, with: kernels)
    let floats = try converted(blocks, to: .float32, with: kernels)
    #expect(floats.floatArray == array(blocks, with: kernels))
    #expect(
      try converted(blocks, to: .blockQ5K, with: kernels).byteArray
        == quantize(floats, as: .blockQ5K, with: kernels).byteArray)
  }

  @Test(arguments: [
    ("v", ElementType.float16, "'v': holds elements beyond 65504, the largest of F16"),
    ("n", .float32, "'n': I8 [2] cannot become F32, expected numbers in a vector or matrix"),
    ("a", .int32, "'a': Flare does not convert to I32"),
  ])
  func `a tensor that does not fit is refused by name`(
    name: String, type: ElementType, problem: String
  ) throws {
    let view = ConvertedTensors(table, as: [name: type], with: try Kernels(threadCount: 1))
    let error = #expect(throws: TensorSourceError.self) { try view.tensor(named: name) }
    #expect(error?.description == problem)
  }
}
