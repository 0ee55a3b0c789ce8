import Adapters
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport

/// A model under `Tests/Vectors/models` and what its adapters do to a text.
struct VectorModel {
  let path: FilePath
  let kernels: Kernels

  /// Within the vocabulary of each of the models.
  static let tokens = Array(0..<24)
  static let sourceTokens = Array(30..<48)

  init(_ name: String) throws {
    path = Vectors.path("models/\(name)")
    kernels = try Kernels(threadCount: 2)
  }

  func files() throws -> ModelFiles { try ModelFiles(path) }

  func base() throws -> AdapterBase { try files().configuration().adapterBase }

  /// Reads the adapter at `path`, by default the one of that name beside the model.
  func adapter(at path: FilePath) throws -> Adapter {
    try Adapter(path, for: base(), with: kernels)
  }

  func adapter(_ name: String) throws -> Adapter { try adapter(at: path.appending(name)) }

  func members(_ names: String...) throws -> [AdapterStack.Member] {
    try names.map { AdapterStack.Member(try adapter($0)) }
  }

  func model(_ adapters: Adapter...) throws -> LanguageModel {
    try LanguageModel(
      path, adapters: adapters.map { AdapterStack.Member($0) }, with: kernels)
  }

  /// The logits with `adapters` on the model, their source read too if they read one.
  func logits(_ adapters: Adapter...) throws -> [Float] {
    try LanguageModel(
      path, adapters: adapters.map { AdapterStack.Member($0) }, with: kernels
    ).logitArray()
  }
}

extension LanguageModel {
  /// A source of the kind that the adapters read; nil when they read none.
  var exampleSource: Source? {
    guard adapters.readsSource else { return nil }
    guard let projection = adapters.sourceProjection else {
      return .tokens(VectorModel.sourceTokens)
    }
    var random = SeededGenerator(seed: 7)
    let shape: Shape = [VectorModel.sourceTokens.count, projection.encoderSize]
    let states = (0..<shape.elementCount).map { _ in Float.random(in: -1...1, using: &random) }
    return .states(Tensor(states, shape: shape))
  }

  /// All logits of `tokens` in one array, with a source where adapters read one.
  func logitArray(of tokens: [Int] = VectorModel.tokens) throws -> [Float] {
    try logits(of: tokens, source: exampleSource).array
  }
}

extension FloatMatrix {
  var array: [Float] {
    let elements = elements
    return elements.indices.map { elements[$0] }
  }
}

/// The largest difference of two lists of one length.
func largestDifference(_ one: [Float], _ other: [Float]) -> Float {
  zip(one, other).map { abs($0 - $1) }.max() ?? 0
}
