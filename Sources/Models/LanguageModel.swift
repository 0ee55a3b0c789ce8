public import Adapters
package import JSON
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
  /// What reads a source: the same, unless an adapter that does not act on it replaces tensors.
  let sourceTransformer: Transformer
  /// The tensors of `sourceTransformer`.
  let sourceTensors: any TensorSource
  let kernels: Kernels
  private let origin: Origin
  /// The model's tensors before any adapter.
  private let baseTensors: any TensorSource

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
    try self.init(
      try Origin(files), tensors: tensors ?? files.tensors, adapters: adapters, with: kernels,
      tokenizer: try files.tokenizer())
  }

  /// Makes a model that no files hold, without a tokenizer.
  ///
  /// - Parameters:
  ///   - name: how messages call it.
  ///   - configuration: what `config.json` would say.
  package init(
    _ name: String, configuration: JSONValue, tensors: any TensorSource,
    adapters: [AdapterStack.Member] = [], with kernels: Kernels
  ) throws {
    try self.init(
      try Origin(name, configuration), tensors: tensors, adapters: adapters, with: kernels,
      tokenizer: nil)
  }

  private init(
    _ origin: Origin, tensors base: any TensorSource, adapters: [AdapterStack.Member],
    with kernels: Kernels, tokenizer: Tokenizer?
  ) throws {
    let stack = try Self.stack(of: origin, base, adapters, with: kernels)

    func transformer(in pass: ForwardPass) throws -> (Transformer, any TensorSource) {
      let tensors = MergedTensors(base, stack, in: pass, with: kernels)
      let weights = WeightLoader(
        tensors, of: origin.name, stack.updates(in: pass), with: kernels)
      return (try Self.transformer(origin, stack, base, tensors, weights), tensors)
    }
    let target = try transformer(in: .target)
    self.transformer = target.0
    (sourceTransformer, sourceTensors) =
      stack.replacesBehindSource ? try transformer(in: .source) : target
    self.configuration = target.0.configuration
    self.tokenizer = tokenizer
    self.adapters = stack
    endOfTextTokens = Set(configuration.endOfTextTokens + origin.generationEndTokens)
    self.kernels = kernels
    self.origin = origin
    baseTensors = base
  }

  /// Checks that a model would run with its adapters, without preparing any weight for it, so that
  /// it takes next to no memory.
  ///
  /// - Returns: the adapters, fitted to the model, after those that the model brings itself.
  /// - Throws: a `FlareError` as `init` does.
  package static func check(
    _ files: ModelFiles, adapters: [AdapterStack.Member], with kernels: Kernels
  ) throws -> AdapterStack {
    let origin = try Origin(files)
    let stack = try stack(of: origin, files.tensors, adapters, with: kernels)
    let passes: [ForwardPass] = stack.replacesBehindSource ? [.target, .source] : [.target]
    for pass in passes {
      let tensors = MergedTensors(files.tensors, stack, in: pass, with: kernels)
      let weights = WeightLoader(
        checking: tensors, basedOn: files.tensors, of: origin.name, stack.updates(in: pass),
        with: kernels)
      _ = try transformer(origin, stack, files.tensors, tensors, weights)
    }
    return stack
  }

  private static func stack(
    of origin: Origin, _ base: any TensorSource, _ adapters: [AdapterStack.Member],
    with kernels: Kernels
  ) throws -> AdapterStack {
    let own = try origin.adapterPaths.map { AdapterStack.Member(try Adapter($0, with: kernels)) }
    return try AdapterStack(own + adapters).fitted(
      to: base, isTied: origin.configuration.tiesWordEmbeddings, with: kernels)
  }

  private static func transformer(
    _ origin: Origin, _ stack: AdapterStack, _ base: any TensorSource, _ tensors: any TensorSource,
    _ loader: WeightLoader
  ) throws -> Transformer {
    var weights = loader
    let configuration = origin.configuration.adapted(by: stack, from: base, to: tensors)
    let transformer = try Transformer(configuration, &weights)
    try weights.finish()
    return transformer
  }

  /// The text of `config.json`.
  var configurationText: String { origin.configurationText }

  /// The same model with other adapters on it, in order, after those that it brings itself.
  ///
  /// The weights are shared, so that adapters are swapped in the time it takes to read them, and
  /// requests with different adapters are served by one copy of the base: each session runs with
  /// the model that it was started with.
  ///
  /// - Throws: a `FlareError` when an adapter does not fit.
  public func adapted(by adapters: [AdapterStack.Member]) throws -> LanguageModel {
    try LanguageModel(
      origin, tensors: baseTensors, adapters: adapters, with: kernels, tokenizer: tokenizer)
  }
}

/// What a model is made of beside its tensors and its tokenizer.
private struct Origin: Sendable {
  /// How messages call the model.
  let name: String
  let configuration: ModelConfiguration
  /// The text of `config.json`.
  let configurationText: String
  /// Directories of the residues that the model brings, in order.
  var adapterPaths: [FilePath] = []
  /// The tokens that `generation_config.json` adds to those that end a text.
  var generationEndTokens: [Int] = []
  /// Holds what the mapped weights need alive, such as an unpacked bundle.
  private var files: ModelFiles?

  init(_ files: ModelFiles) throws {
    name = files.path.string
    configuration = try files.configuration()
    configurationText = files.configurationJSON.serialized()
    adapterPaths = files.adapterPaths
    generationEndTokens = try files.generationEndTokens()
    self.files = files
  }

  init(_ name: String, _ configuration: JSONValue) throws {
    self.name = name
    self.configuration = try ModelConfiguration(huggingFace: configuration, subject: name)
    configurationText = configuration.serialized()
  }
}

extension ModelConfiguration {
  /// The configuration once `stack` has made `adapted` of the tensors `base`.
  package func adapted(
    by stack: AdapterStack, from base: any TensorSource, to adapted: any TensorSource
  ) -> ModelConfiguration {
    var configuration = self
    let name = "model.embed_tokens.weight"
    if let own = base.info(named: name), let info = adapted.info(named: name),
      own.shape != info.shape
    {
      configuration.vocabularySize = info.shape[0]
    }
    if stack.untiesHead { configuration.tiesWordEmbeddings = false }
    return configuration
  }
}

extension LanguageModel {
  /// The logits of every position of `tokens`, `[tokens.count, vocabularySize]`.
  ///
  /// They are for comparing models, so keys and values are exact unless told otherwise.
  ///
  /// - Parameters:
  ///   - promptCount: how many of the tokens are the prompt that a source is aligned with; nil for
  ///     all.
  ///   - source: what a FLARE adapter reads beside the text.
  ///   - keyValueType: how keys and values are kept.
  /// - Throws: `ModelError` when a list is empty, a token is outside the vocabulary, or a source is
  ///   given that no adapter reads.
  public func logits(
    of tokens: [Int], promptCount: Int? = nil, source: Source? = nil,
    keyValueType: KeyValueType = .float32
  ) throws -> FloatMatrix {
    var session = try Session(
      self, capacity: tokens.count, promptCount: promptCount ?? tokens.count, source: source,
      keyValueType: keyValueType)
    return try session.logits(of: tokens)
  }

  /// - Throws: `ModelError` when `tokens` is empty or holds one outside the vocabulary.
  func check(
    _ tokens: [Int], _ what: String, vocabularySize: Int? = nil
  ) throws(ModelError) {
    let size = vocabularySize ?? configuration.vocabularySize
    guard !tokens.isEmpty else { throw ModelError(.request, "the \(what) has no tokens") }
    guard let token = tokens.first(where: { !(0..<size).contains($0) }) else { return }
    throw ModelError(
      .request, "token \(token) in the \(what) is outside the vocabulary of \(size)")
  }
}
