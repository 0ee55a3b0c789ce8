import Kernels
import Models
import Quantization
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What quantization costs on the tiny random models, whose weights are harder to quantize than
/// trained ones: no row is redundant.
struct QuantizedModelTests {
  /// Mean Kullback-Leibler divergence of the quantized model's next-token distribution from the
  /// float model's, in nats.
  static let int8Budget = 0.01
  static let int4Budget = 1.5

  func divergence(_ model: String, _ scheme: QuantizationScheme) throws -> Double {
    let kernels = try Kernels(threadCount: 2)
    let files = try ModelFiles(Vectors.path("models/\(model)"))
    let quantized = ConvertedTensors(files.tensors, scheme: scheme, with: kernels)
    let tokens = (0..<32).map { $0 * 7 % 64 }
    let expected = try LanguageModel(files, with: kernels).logits(of: tokens)
    let actual = try LanguageModel(files, tensors: quantized, with: kernels).logits(of: tokens)
    var sum = 0.0
    for row in 0..<tokens.count {
      let (p, q) = (logSoftmax(expected[row]), logSoftmax(actual[row]))
      sum += zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    }
    return sum / Double(tokens.count)
  }

  private func logSoftmax(_ logits: Span<Float>) -> [Double] {
    let values = logits.indices.map { Double(logits[$0]) }
    let largest = values.max() ?? 0
    let total = log(values.reduce(0) { $0 + exp($1 - largest) }) + largest
    return values.map { $0 - total }
  }

  @Test(arguments: ["llama", "gemma2"])
  func `int8 stays within its budget of the float model and changes it`(model: String) throws {
    let divergence = try divergence(model, .int8)
    #expect(divergence < Self.int8Budget)
    #expect(divergence > 0)
  }

  @Test(arguments: ["llama", "gemma2"])
  func `int4 stays within its budget and costs more than int8`(model: String) throws {
    let int4 = try divergence(model, .int4)
    #expect(int4 < Self.int4Budget)
    #expect(int4 > (try divergence(model, .int8)))
  }
}
