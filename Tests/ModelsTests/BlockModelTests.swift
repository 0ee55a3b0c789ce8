import Kernels
import Models
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct `Models of ggml's blocks` {
  private let golden: GoldenModel
  private let kernels: Kernels
  private let tokens = [1, 5, 9, 2, 7]

  init() throws {
    golden = try GoldenModel("llama")
    kernels = try golden.kernels()
  }

  /// The model's tensors with every matrix in blocks of `type`.
  private func blocks(_ type: ElementType) throws -> ConvertedTensors {
    let tensors = try golden.files().tensors
    let names = tensors.tensorInfos.filter { $0.shape.rank == 2 }.map { ($0.name, type) }
    return ConvertedTensors(tensors, as: Dictionary(uniqueKeysWithValues: names), with: kernels)
  }

  /// The same tensors with every block turned into floats.
  private func floats(_ blocks: ConvertedTensors) -> ConvertedTensors {
    let names = blocks.tensorInfos.map { ($0.name, ElementType.float32) }
    return ConvertedTensors(blocks, as: Dictionary(uniqueKeysWithValues: names), with: kernels)
  }

  @Test(arguments: [ElementType.blockQ41, .blockQ51])
  func `types without panels give the logits of their elements`(type: ElementType) throws {
    let blocks = try blocks(type)
    let found = try golden.model(running: blocks).logitArray(of: tokens)
    #expect(try found == golden.model(running: floats(blocks)).logitArray(of: tokens))
    #expect(try found != golden.model().logitArray(of: tokens))
  }

  @Test(arguments: [ElementType.blockQ80, .blockQ40, .blockQ50])
  func `types with panels give them up to the rounding of activations`(type: ElementType) throws {
    let blocks = try blocks(type)
    let found = try golden.model(running: blocks).logitArray(of: tokens)
    let expected = try golden.model(running: floats(blocks)).logitArray(of: tokens)
    let size = expected.reduce(0) { max($0, abs($1)) }
    let difference = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
    #expect(difference > 0 && difference < 0.05 * size)
  }

  @Test(arguments: ["model.embed_tokens.weight", "model.layers.1.mlp.down_proj.weight"])
  func `a block whose scale is no number is refused by name`(name: String) throws {
    let blocks = try blocks(.blockQ51)
    let table = try TensorTable(
      blocks.tensorInfos.map { info in
        let tensor = try blocks.tensor(named: info.name)
        guard info.name == name else { return (info.name, tensor) }
        var bytes = tensor.byteArray
        bytes[5 * 24 + 1] = 0x7E
        return (info.name, Tensor(bytes: bytes, shape: info.shape, elementType: info.elementType))
      })
    let error = #expect(throws: ModelError.self) { try golden.model(running: table) }
    #expect(
      error?.description.hasSuffix(": '\(name)' (Q5_1) has a block whose scale is no number")
        == true)
  }
}
