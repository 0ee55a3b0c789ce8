import Adapters
import Benchmarks
import Kernels
import Models
import Quantization
import Tensors
import Testing

struct BenchmarkTests {
  let kernels: Kernels
  let shape: ModelShape
  let configuration: ModelConfiguration

  init() throws {
    kernels = try Kernels(threadCount: 2)
    shape = try #require(ModelShape(named: "pico"))
    configuration = try ModelConfiguration(huggingFace: shape.configuration)
  }

  func model(
    _ tensors: TensorTable, adapters: [AdapterStack.Member] = []
  ) throws -> LanguageModel {
    try LanguageModel(
      shape.name, configuration: shape.configuration, tensors: tensors, adapters: adapters,
      with: kernels)
  }

  @Test(arguments: [nil, QuantizationScheme.int8, .int4])
  func `random weights give logits that differ and are numbers`(
    scheme: QuantizationScheme?
  ) throws {
    let model = try model(RandomModel.tensors(of: configuration, scheme, with: kernels))
    let logits = try model.logits(of: [1, 2, 3])
    let last = logits[2]
    let values = last.indices.map { last[$0] }
    #expect(values.allSatisfy { $0.isFinite && $0.magnitude < 1000 })
    #expect(Set(values).count > values.count / 2)
  }

  @Test(arguments: [ElementType.float32, .bfloat16, .groupedInt8, .groupedInt4])
  func `a random tensor has the magnitude that it is asked for, and no two rows alike`(
    type: ElementType
  ) {
    var random = SplitMix64(state: 1)
    let tensor = Tensor(random: [64, 128], type, magnitude: 0.05, using: &random)
    let floats = kernels.floats(of: tensor)
    let elements = floats.elements
    let values = elements.indices.map { Double(elements[$0]) }
    let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
    #expect(0.025..<0.1 ~= deviation)
    let rows = (0..<floats.rowCount).map { row in (0..<128).map { values[row * 128 + $0] } }
    #expect(Set(rows).count == 64)
  }

  @Test func `a test gives one positive time a run, and its rate is tokens over seconds`() throws {
    let tensors = RandomModel.tensors(of: configuration, .int4, with: kernels)
    let model = try model(tensors)
    let work = ModelWork(model, tensors)
    var benchmark = Benchmark(model, work)
    for test in BenchmarkTest.all(prefill: [9], decode: [3], depths: [0, 40]) {
      var runs: [Int] = []
      let result = try benchmark.run(test, repeats: 2) { runs.append($0) }
      #expect(runs == [0, 1, 2])
      #expect(result.seconds.count == 2)
      #expect(result.seconds.allSatisfy { $0 > 0 })
      let rates = result.seconds.map { Double(test.count) / $0 }
      #expect(abs(result.tokensPerSecond - (rates[0] + rates[1]) / 2) < 1e-9 * rates[0])
      #expect(
        abs(result.deviation - abs(rates[0] - rates[1]) / 2.0.squareRoot()) < 1e-6 * rates[0])
    }
  }

  @Test func `texts side by side share the weights but not the tokens`() throws {
    let tensors = RandomModel.tensors(of: configuration, .int4, with: kernels)
    let model = try model(tensors)
    let work = ModelWork(model, tensors)
    let test = BenchmarkTest(.decode, 3, textCount: 4), alone = BenchmarkTest(.decode, 3)
    var benchmark = Benchmark(model, work)
    let result = try benchmark.run(test, repeats: 1)
    #expect(result.seconds[0] > 0)
    #expect(abs(result.tokensPerSecond * result.seconds[0] - 12) < 1e-6)
    #expect(work.productCount(of: test) == 4 * work.productCount(of: alone))
    let cache = configuration.keyValueByteCount(seenAt: 2, .int8)
    #expect(
      work.byteCountPerPass(of: test, .int8) == work.byteCountPerPass(of: alone, .int8) + 3 * cache)
  }

  @Test func `a source is read by a random FLARE adapter and changes the logits`() throws {
    let tensors = RandomModel.tensors(of: configuration, nil, with: kernels)
    let adapter = RandomModel.adapter(of: configuration, rank: 4, fusion: .addRelu)
    let model = try model(tensors, adapters: [adapter])
    let with = try model.logits(of: [1, 2], source: .tokens([3, 4, 5]))
    let without = try model.logits(of: [1, 2])
    #expect(with[1][0] != without[1][0])
    var benchmark = Benchmark(model, ModelWork(model, tensors), sourceCount: 7)
    let result = try benchmark.run(BenchmarkTest(.source, 7), repeats: 1)
    #expect(result.seconds[0] > 0)
  }

  @Test func `tests are named as the field names them`() {
    let tests = BenchmarkTest.all(
      prefill: [256, 512], decode: [32], depths: [0, 64], sourceCount: 5, batches: [2])
    #expect(
      tests.map(\.name) == [
        "source5", "pp256", "pp512", "tg32", "pp256@64", "pp512@64", "tg32@64", "tg32x2",
      ])
  }

  @Test func `a token's work is its weights, and the keys and values it sees`() throws {
    let tensors = RandomModel.tensors(of: configuration, nil, with: kernels)
    let work = ModelWork(try model(tensors), tensors)
    // 2 layers: q 64·64, k and v 32·64, o 64·64, three of the MLP 96·64; the head 256·64.
    let layers = 2 * (64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 96 * 64), head = 256 * 64
    #expect(work.productCount(of: BenchmarkTest(.prefill, 10)) == 10 * layers + head)
    #expect(work.productCount(of: BenchmarkTest(.decode, 10)) == 10 * (layers + head))
    // Five norms of 64 beside the matrices, all BF16; the tied head is the embeddings.
    #expect(work.weightByteCount == 2 * (layers + head + 5 * 64))
    #expect(work.parameterCount == layers + head + 5 * 64)
    // Keys and values are read in tiles of 64 positions.
    let near = work.byteCountPerPass(of: BenchmarkTest(.decode, 1), .float16)
    let far = work.byteCountPerPass(of: BenchmarkTest(.decode, 1, depth: 128), .float16)
    #expect(far - near == 2 * 64 * configuration.layerCount * 2 * 2 * configuration.keyValueWidth)
  }

  @Test func `a window bounds the keys and values that are read`() throws {
    let gemma = try #require(ModelShape(named: "gemma-2-2b"))
    let configuration = try ModelConfiguration(huggingFace: gemma.configuration)
    func byteCount(_ positions: Int) -> Int {
      configuration.keyValueByteCount(seenAt: positions, .float16)
    }
    #expect(byteCount(1) > 0)
    #expect((byteCount(4160) - byteCount(4096)) * 2 == byteCount(64))
  }

  @Test func `an adapter's bytes are read with the weights`() throws {
    let tensors = RandomModel.tensors(of: configuration, .int8, with: kernels)
    let adapter = RandomModel.adapter(of: configuration, rank: 2)
    let plain = ModelWork(try model(tensors), tensors)
    let adapted = ModelWork(try model(tensors, adapters: [adapter]), tensors)
    #expect(
      adapted.weightByteCount - plain.weightByteCount == 4
        * adapter.adapter.updates.reduce(0) {
          $0 + $1.parameterCount
        })
  }
}
