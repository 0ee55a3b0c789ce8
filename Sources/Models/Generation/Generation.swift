public import Kernels
import Tokenizers

/// How a text is continued.
public struct GenerationOptions: Sendable {
  /// How many tokens at most.
  public var maximumTokenCount: Int
  public var sampling: SamplingOptions
  /// Whether an end-of-text token ends the text; benchmarks and tests go on.
  public var stopsAtEndOfText: Bool
  /// How many tokens may be guessed from the prompt and verified in the pass of one; 0 for none.
  ///
  /// It changes the speed, never the text.
  public var maximumCandidateCount: Int
  /// How keys and values are kept.
  public var keyValueType: KeyValueType
  /// Tokens that end a text like those of the model, at the end of a turn for example.
  public var endTokens: Set<Int>

  public init(
    maximumTokenCount: Int = 256, sampling: SamplingOptions = .greedy,
    stopsAtEndOfText: Bool = true, maximumCandidateCount: Int = 0,
    keyValueType: KeyValueType = .float16, endTokens: Set<Int> = []
  ) {
    self.maximumTokenCount = maximumTokenCount
    self.sampling = sampling
    self.stopsAtEndOfText = stopsAtEndOfText
    self.maximumCandidateCount = maximumCandidateCount
    self.keyValueType = keyValueType
    self.endTokens = endTokens
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
  ///   vocabulary, a source that no adapter reads, candidates where they cannot be verified, or
  ///   logits that are not numbers.
  @discardableResult
  public func generate(
    from prompt: [Int], source: Source? = nil,
    _ options: GenerationOptions = GenerationOptions(),
    receive: (Int) throws -> Bool = { _ in true }
  ) throws -> [Int] {
    try continuation(of: prompt, source: source, options, receive: receive).tokens
  }

  /// The same, with what it took.
  public func continuation(
    of prompt: [Int], source: Source? = nil,
    _ options: GenerationOptions = GenerationOptions(),
    receive: (Int) throws -> Bool = { _ in true }
  ) throws -> Continuation {
    let request = GenerationRequest(prompt, source: source, options)
    var batch = BatchGeneration(
      [request], limits: [try request.check(for: self)], BatchOptions(maximumTextCount: 1),
      with: self)
    let answers = try batch.run(receive: { _, token in try receive(token) }, finish: { _, _ in })
    return answers[0]
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
    var text = ""
    _ = try continuation(of: prompt, reading: source, options) { piece in
      text += piece
      try receive(piece)
    }
    return text
  }

  /// The same, with the tokens and what they took.
  public func continuation(
    of prompt: String, reading source: Source? = nil,
    _ options: GenerationOptions = GenerationOptions(),
    receive: (String) throws -> Void = { _ in }
  ) throws -> Continuation {
    try continuation(of: try encode(prompt), reading: source, options, receive: receive)
  }

  /// The same behind a prompt that is tokens already.
  public func continuation(
    of tokens: [Int], reading source: Source?, _ options: GenerationOptions = GenerationOptions(),
    receive: (String) throws -> Void
  ) throws -> Continuation {
    var decoder = try textTokenizer.streamingDecoder()
    func deliver(_ piece: String) throws {
      if !piece.isEmpty { try receive(piece) }
    }
    let continuation = try continuation(of: tokens, source: source, options) { token in
      try deliver(decoder.append(token))
      return true
    }
    try deliver(decoder.finish())
    return continuation
  }

  /// The tokens of a text.
  ///
  /// A text that begins with the token for the beginning already, as one that a chat template has
  /// made, gets no second one: models were not trained with two. (`Tokenizer.encode` adds it as
  /// Hugging Face's library does.)
  ///
  /// - Parameter addingSpecialTokens: whether to put the tokens around that frame a text.
  /// - Throws: `ModelError` when the model has no tokenizer.
  public func encode(
    _ text: String, addingSpecialTokens: Bool = true
  ) throws(ModelError) -> [Int] {
    let tokenizer = try textTokenizer
    let tokens = tokenizer.encode(text, addingSpecialTokens: addingSpecialTokens)
    let beginning = addingSpecialTokens ? tokenizer.specialTokensAround.before : []
    let rest = tokens.dropFirst(beginning.count)
    return !beginning.isEmpty && rest.starts(with: beginning) ? Array(rest) : tokens
  }

  /// The tokenizer of a model that has one.
  var textTokenizer: Tokenizer {
    get throws(ModelError) {
      guard let tokenizer else {
        throw ModelError(
          .missingTokenizer,
          "the model has no 'tokenizer.json', so it can continue tokens but not text")
      }
      return tokenizer
    }
  }
}
