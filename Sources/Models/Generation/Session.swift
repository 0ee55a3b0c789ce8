import Adapters
public import Kernels

/// One text on its way through a model, step by step.
///
/// The first tokens are the prompt. With a source, target and source prompt are aligned at their
/// ends, so the length of the prompt has to be known when the session begins.
public struct Session: ~Copyable {
  private let model: LanguageModel
  private let text: RunningText
  private var work: Workspace

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
    text = try RunningText(
      model, capacity: capacity, promptCount: promptCount, source: source,
      keyValueType: keyValueType)
    work = Workspace(model.transformer, rowCapacity: text.rowCapacity)
  }

  /// How many tokens the text has.
  public var tokenCount: Int { text.state.positionCount }

  /// Appends `tokens` and gives the logits of what comes next, `[1, vocabularySize]`.
  ///
  /// - Throws: `ModelError` when `tokens` is empty or has one outside the vocabulary, or a logit is
  ///   not a number.
  public mutating func append(_ tokens: [Int]) throws(ModelError) -> FloatMatrix {
    try check(tokens)
    let chunks = try text.chunks(of: tokens)
    for (index, chunk) in chunks.enumerated() {
      let context = text.advance(over: chunk, &work)
      if index == chunks.count - 1 { try writeLogits(onlyLast: true, context) }
    }
    return work.logits.copy()
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
    for chunk in try text.chunks(of: tokens) {
      try writeLogits(onlyLast: false, text.advance(over: chunk, &work))
      all.append(work.logits)
    }
    return all
  }

  /// Whether the text can be truncated to `count` tokens: a layer with a window keeps only what it
  /// can still see.
  func canTruncate(to count: Int) -> Bool {
    text.state.caches.allSatisfy { $0.keepsAll(seenFrom: count) }
  }

  /// Forgets all tokens from `count` on.
  ///
  /// - Precondition: the text has as many.
  public mutating func truncate(to count: Int) { text.state.truncate(to: count) }

  /// Appends positions whose keys and values are noise, as many as make the text `count` long, in
  /// a fraction of the time that real ones take: for benchmarks at a depth.
  package mutating func fill(to count: Int, _ noise: borrowing FloatMatrix) {
    precondition(tokenCount...text.state.capacity ~= count, "Text exceeds capacity")
    text.state.fill(to: count, noise, model.kernels)
  }

  private func check(_ tokens: [Int]) throws(ModelError) {
    try model.check(tokens, "text")
    precondition(tokenCount + tokens.count <= text.state.capacity, "Text exceeds capacity")
  }

  private mutating func writeLogits(
    onlyLast: Bool, _ context: PassContext
  ) throws(ModelError) {
    model.transformer.writeLogits(&work, onlyLast: onlyLast, context)
    guard work.logits.isFinite else { throw ModelError(logitsAreNoNumbersAt: tokenCount) }
  }
}

extension ModelError {
  init(logitsAreNoNumbersAt tokenCount: Int) {
    self.init(
      .tensors,
      "the logits at token \(tokenCount) are not all numbers; "
        + "the weights or an adapter are damaged or overflow")
  }
}
