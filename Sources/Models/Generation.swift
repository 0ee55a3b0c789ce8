public import Kernels
import Tokenizers

/// How a text is continued.
public struct GenerationOptions: Sendable {
  /// How many tokens at most.
  public var maximumTokenCount: Int
  public var sampling: SamplingOptions
  /// Whether an end-of-text token ends the text; benchmarks and tests go on.
  public var stopsAtEndOfText: Bool
  /// How keys and values are kept.
  public var keyValueType: KeyValueType

  public init(
    maximumTokenCount: Int = 256, sampling: SamplingOptions = .greedy,
    stopsAtEndOfText: Bool = true, keyValueType: KeyValueType = .float16
  ) {
    self.maximumTokenCount = maximumTokenCount
    self.sampling = sampling
    self.stopsAtEndOfText = stopsAtEndOfText
    self.keyValueType = keyValueType
  }
}

extension LanguageModel {
  /// Continues `prompt` token by token, as far as the model has positions.
  ///
  /// - Parameters:
  ///   - prompt: tokens, the beginning-of-text token included.
  ///   - source: what a FLARE adapter reads beside the text.
  ///   - receive: called with each token as soon as it is chosen; returning false ends the text.
  ///     The end-of-text token is not delivered.
  /// - Returns: the tokens that were delivered.
  /// - Throws: `ModelError` for a prompt that is empty or leaves no position, a token outside the
  ///   vocabulary, a source that no adapter reads, or logits that are not numbers.
  @discardableResult
  public func generate(
    from prompt: [Int], source: Source? = nil,
    _ options: GenerationOptions = GenerationOptions(),
    receive: (Int) throws -> Bool = { _ in true }
  ) throws -> [Int] {
    let count = min(options.maximumTokenCount, try room(after: prompt, "prompt"))
    guard count > 0 else { return [] }
    if case .tokens(let tokens)? = source?.content { _ = try room(after: tokens, "source") }
    var session = try Session(
      self, capacity: prompt.count + count, promptCount: prompt.count, source: source,
      keyValueType: options.keyValueType)
    var sampler = Sampler(options.sampling)
    var generated: [Int] = []
    var next = prompt
    while generated.count < count {
      let logits = try session.append(next)
      let token = sampler.next(logits[0])
      if options.stopsAtEndOfText && endOfTextTokens.contains(token) { break }
      generated.append(token)
      guard try receive(token) else { break }
      next = [token]
    }
    return generated
  }

  /// How many positions are left behind a text.
  private func room(after tokens: [Int], _ what: String) throws(ModelError) -> Int {
    let limit = configuration.maximumPositionCount
    guard tokens.count < limit else {
      throw ModelError(
        .request,
        "the \(what) has \(tokens.count) tokens and the model \(limit) positions; shorten it")
    }
    return limit - tokens.count
  }

  /// Continues a text, and gives the continuation as text.
  ///
  /// - Parameters:
  ///   - prompt: the text to continue.
  ///   - source: the source text, usually the prompt's English translation.
  ///   - receive: called with each piece of text as soon as it is complete; never half a character.
  /// - Throws: `ModelError`, also when the model has no tokenizer.
  @discardableResult
  public func generate(
    from prompt: String, source: String? = nil,
    _ options: GenerationOptions = GenerationOptions(),
    receive: (String) throws -> Void = { _ in }
  ) throws -> String {
    try generate(
      from: prompt, reading: source.map { .tokens(try encode($0)) }, options, receive: receive)
  }

  /// The same with a source of any kind.
  @discardableResult
  public func generate(
    from prompt: String, reading source: Source?,
    _ options: GenerationOptions = GenerationOptions(),
    receive: (String) throws -> Void = { _ in }
  ) throws -> String {
    let tokens = try encode(prompt)
    guard let tokenizer else { preconditionFailure("Encoded without a tokenizer") }
    var decoder = tokenizer.streamingDecoder()
    var text = ""
    func deliver(_ piece: String) throws {
      guard !piece.isEmpty else { return }
      text += piece
      try receive(piece)
    }
    try generate(from: tokens, source: source, options) { token in
      try deliver(decoder.append(token))
      return true
    }
    try deliver(decoder.finish())
    return text
  }

  /// The tokens of a text, those that frame it included.
  ///
  /// - Throws: `ModelError` when the model has no tokenizer.
  public func encode(_ text: String) throws(ModelError) -> [Int] {
    guard let tokenizer else {
      throw ModelError(
        .missingTokenizer,
        "the model has no 'tokenizer.json', so it can continue tokens but not text")
    }
    return tokenizer.encode(text)
  }
}
