public import Adapters
public import Kernels
public import SystemPackage
public import Tensors
public import Tokenizers

/// A model that can be run: configuration, weights, tokenizer and adapters, all immutable.
///
/// One model serves any number of sessions at once. Opening maps the weights; nothing is copied.
public struct LanguageModel: Sendable {
  public let configuration: ModelConfiguration
  /// nil when the model came without `tokenizer.json`.
  public let tokenizer: Tokenizer?
  public let adapters: AdapterStack
  /// Tokens that end a text.
  public let endOfTextTokens: Set<Int>
  let transformer: Transformer
  let kernels: Kernels
  /// Holds what the mapped weights need alive, such as an unpacked bundle.
  private let files: ModelFiles

  /// Opens the model at `path`, a Hugging Face directory, a bundle directory or a `.flare` file.
  ///
  /// - Parameters:
  ///   - adapters: adapters to run on it, in order, after those that the model brings itself.
  ///   - kernels: the threads and the instruction set to compute with.
  /// - Throws: a `FlareError` that says what is wrong with which file.
  public init(
    _ path: FilePath, adapters: [AdapterStack.Member] = [], with kernels: Kernels
  ) throws {
    try self.init(try ModelFiles(path), adapters: adapters, with: kernels)
  }

  /// Opens a model whose files are known.
  ///
  /// - Parameter tensors: what to run in place of the files' own tensors, a merged or quantized
  ///   view of them.
  public init(
    _ files: ModelFiles, tensors: (any TensorSource)? = nil,
    adapters: [AdapterStack.Member] = [], with kernels: Kernels
  ) throws {
    let own = try files.adapterPaths.map { AdapterStack.Member(try Adapter($0, with: kernels)) }
    let stack = try AdapterStack(own + adapters)
    let tensors = tensors ?? files.tensors
    let configuration = try files.configuration()
    try stack.check(against: tensors, with: kernels)

    var weights = WeightLoader(tensors, of: files.path.string, stack, with: kernels)
    transformer = try Transformer(configuration, &weights)
    try weights.finish()

    self.configuration = configuration
    tokenizer = try files.tokenizerPath.map { try Tokenizer(contentsOf: $0) }
    self.adapters = stack
    endOfTextTokens = Set(configuration.endOfTextTokens + (try files.generationEndTokens()))
    self.kernels = kernels
    self.files = files
  }
}

extension LanguageModel {
  /// The logits of every position of `tokens`, `[tokens.count, vocabularySize]`.
  ///
  /// - Parameter source: the tokens of the source text for a FLARE adapter.
  /// - Throws: `ModelError` when a list is empty, a token is outside the vocabulary, or a source is
  ///   given that no adapter reads.
  public func logits(of tokens: [Int], source: [Int]? = nil) throws -> FloatMatrix {
    var session = try Session(
      self, capacity: tokens.count, promptCount: tokens.count, source: source)
    return try session.logits(of: tokens)
  }

  /// - Throws: `ModelError` when `tokens` is empty or holds one outside the vocabulary.
  func check(_ tokens: [Int], _ what: String) throws(ModelError) {
    guard !tokens.isEmpty else { throw ModelError(.request, "the \(what) has no tokens") }
    guard let token = tokens.first(where: { !(0..<configuration.vocabularySize).contains($0) })
    else { return }
    throw ModelError(
      .request,
      "token \(token) in the \(what) is outside the vocabulary of \(configuration.vocabularySize)")
  }
}
