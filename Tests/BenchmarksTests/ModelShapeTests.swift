import Benchmarks
import Models
import Quantization
import Tensors
import TestSupport
import Testing

struct ModelShapeTests {
  /// Of each model as published: the elements of its checkpoint's tensors.
  static let published = [
    "llama-3.2-1b": 1_235_814_400, "llama-3.2-3b": 3_212_749_824, "llama-3.1-8b": 8_030_261_248,
    "llama-2-7b": 6_738_415_616, "gemma-2-2b": 2_614_341_888, "gemma-2-9b": 9_241_705_984,
  ]

  static func configuration(_ name: String) throws -> ModelConfiguration {
    let shape = try #require(ModelShape(named: name))
    return try ModelConfiguration(huggingFace: shape.configuration)
  }

  @Test(arguments: published)
  func `a shape has as many parameters as the model it is named after`(
    name: String, count: Int
  ) throws {
    #expect(try Self.configuration(name).parameterCount == count)
  }

  @Test func `every shape but pico is checked against a published model`() {
    #expect(Set(ModelShape.all.map(\.name)) == Set(Self.published.keys).union(["pico"]))
  }

  @Test func `the heads have the sizes of the published models`() throws {
    let widths = try ["llama-3.2-1b", "llama-3.2-3b", "llama-2-7b", "gemma-2-2b", "gemma-2-9b"].map
    {
      let configuration = try Self.configuration($0)
      return [configuration.queryWidth, configuration.keyValueWidth]
    }
    #expect(widths == [[2048, 512], [3072, 1024], [4096, 4096], [2048, 1024], [4096, 2048]])
  }

  @Test(
    arguments: [
      "architectures/mistral", "architectures/qwen2", "architectures/qwen3", "architectures/gemma",
      "architectures/gemma3", "models/llama", "models/llama-biased", "models/gemma2",
    ])
  func `a configuration has the tensors of its checkpoint`(name: String) throws {
    let files = try ModelFiles(Vectors.path(name))
    func shapes(_ infos: [TensorInfo]) -> [String: Shape] {
      Dictionary(uniqueKeysWithValues: infos.map { ($0.name, $0.shape) })
    }
    #expect(try shapes(files.configuration().tensorInfos) == shapes(files.tensors.tensorInfos))
  }

  @Test func `no shape goes by an unknown name`() {
    #expect(ModelShape(named: "llama-3.2-2b") == nil)
  }
}
