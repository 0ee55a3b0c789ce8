import Adapters
public import Kernels

/// One text on its way through a model.
///
/// The first tokens are the prompt. With a source, target and source prompt are aligned at their
/// ends, so the length of the prompt has to be known when the session begins.
public struct Session: ~Copyable {
  private let model: LanguageModel
  private let promptCount: Int
  private var state: DecodingState
  /// nil without a source.
  private var reader: SourceReader?

  /// Starts a text, after reading the source if there is one.
  ///
  /// - Parameters:
  ///   - capacity: the longest the text can get, prompt included, in tokens.
  ///   - promptCount: how many of them are the prompt.
  ///   - source: what a FLARE adapter reads beside the text; nil to run it as plain LoRA.
  ///   - keyValueType: how keys and values are kept.
  /// - Throws: `ModelError` when the source is empty, has a token outside the vocabulary, or no
  ///   adapter of the model reads one of its kind.
  public init(
    _ model: LanguageModel, capacity: Int, promptCount: Int, source: Source? = nil,
    keyValueType: KeyValueType = .float16
  ) throws(ModelError) {
    self.model = model
    self.promptCount = promptCount
    guard let source else {
      reader = nil
      state = DecodingState(
        model.configuration, capacity: capacity, pass: .withoutSource, keyValueType: keyValueType)
      return
    }
    try model.check(source)
    let reader = model.read(source, extraCount: capacity - promptCount)
    let states = reader.states
    self.reader = consume reader
    let paired = PairedSource(
      states: states, alignment: source.alignment ?? model.adapters.sourceAlignment,
      promptCount: states.positionCount, targetPromptCount: promptCount)
    state = DecodingState(
      model.configuration, capacity: capacity, pass: .target, source: paired,
      keyValueType: keyValueType,
      chunkSize: max(DecodingState.chunkSize, model.adapters.mixesPositions ? promptCount : 0))
  }

  /// How many tokens the text has.
  public var tokenCount: Int { state.positionCount }

  /// Appends `tokens` and gives the logits of what comes next, `[1, vocabularySize]`.
  ///
  /// - Throws: `ModelError` when `tokens` is empty or has one outside the vocabulary, or a logit is
  ///   not a number.
  public mutating func append(_ tokens: [Int]) throws(ModelError) -> FloatMatrix {
    try check(tokens)
    for chunk in try chunks(of: tokens) { advance(over: chunk) }
    return try finiteLogits(onlyLast: true)
  }

  /// Appends `tokens` and gives the logits behind each of them, `[tokens.count, vocabularySize]`.
  ///
  /// - Throws: `ModelError` when `tokens` is empty or has one outside the vocabulary, or a logit is
  ///   not a number.
  public mutating func logits(of tokens: [Int]) throws(ModelError) -> FloatMatrix {
    try check(tokens)
    var all = FloatMatrix(
      rowCapacity: tokens.count, columnCount: model.configuration.vocabularySize)
    all.rowCount = 0
    for chunk in try chunks(of: tokens) {
      advance(over: chunk)
      all.append(try finiteLogits(onlyLast: false))
    }
    return all
  }

  private func check(_ tokens: [Int]) throws(ModelError) {
    try model.check(tokens, "text")
    precondition(state.positionCount + tokens.count <= state.capacity, "Text exceeds capacity")
  }

  /// What goes through the model together.
  ///
  /// A fusion that mixes positions sees the prompt whole and every later position alone, however
  /// the tokens come in.
  private func chunks(of tokens: [Int]) throws(ModelError) -> [ArraySlice<Int>] {
    guard state.pass == .target, model.adapters.mixesPositions else {
      return tokens.chunks(of: DecodingState.chunkSize)
    }
    guard state.positionCount == 0 else { return tokens.chunks(of: 1) }
    guard tokens.count >= promptCount else {
      throw ModelError(
        .request,
        "the fusion mixes the positions of the prompt, so its \(promptCount) tokens have to come "
          + "together; got \(tokens.count)")
    }
    return [tokens[..<promptCount]] + Array(tokens[promptCount...]).chunks(of: 1)
  }

  private mutating func advance(over chunk: ArraySlice<Int>) {
    if let last = state.source?.position(pairedWith: state.positionCount + chunk.count - 1) {
      reader?.extend(to: last + 1)
    }
    model.transformer.advance(&state, over: chunk, model.kernels)
  }

  private mutating func finiteLogits(onlyLast: Bool) throws(ModelError) -> FloatMatrix {
    let logits = model.transformer.logits(&state, onlyLast: onlyLast, model.kernels)
    guard logits.isFinite else {
      throw ModelError(
        .tensors,
        "the logits at token \(state.positionCount) are not all numbers; "
          + "the weights or an adapter are damaged or overflow")
    }
    return logits
  }
}
