import Adapters
public import Kernels

/// One text on its way through a model.
///
/// The first tokens are the prompt. With a source, target and source prompt are aligned at their
/// ends, so the length of the prompt has to be known when the session begins.
public struct Session: ~Copyable {
  private let model: LanguageModel
  private var state: DecodingState

  /// Starts a text, after reading the source if there is one.
  ///
  /// - Parameters:
  ///   - capacity: the longest the text can get, prompt included, in tokens.
  ///   - promptCount: how many of them are the prompt.
  ///   - source: the tokens of the source text; nil to run a FLARE adapter as plain LoRA.
  /// - Throws: `ModelError` when the source is empty, has a token outside the vocabulary, or no
  ///   adapter of the model reads one.
  public init(
    _ model: LanguageModel, capacity: Int, promptCount: Int, source: [Int]? = nil
  ) throws(ModelError) {
    self.model = model
    guard let source else {
      state = DecodingState(model.configuration, capacity: capacity, pass: .withoutSource)
      return
    }
    guard model.adapters.readsSource else {
      throw ModelError(
        .request,
        "a source text is given, but no adapter of this model reads one; it would change nothing")
    }
    try model.check(source, "source")
    let states = Self.read(source, with: model, targetPositionCount: promptCount)
    state = DecodingState(
      model.configuration, capacity: capacity, pass: .target, source: states)
  }

  /// How many tokens the text has.
  public var tokenCount: Int { state.positionCount }

  /// Appends `tokens` and gives the logits of what comes next, `[1, vocabularySize]`.
  ///
  /// - Throws: `ModelError` when `tokens` is empty or has one outside the vocabulary, or a logit is
  ///   not a number.
  public mutating func append(_ tokens: [Int]) throws(ModelError) -> FloatMatrix {
    try check(tokens)
    for chunk in tokens.chunks(of: DecodingState.chunkSize) { advance(over: chunk) }
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
    for chunk in tokens.chunks(of: DecodingState.chunkSize) {
      advance(over: chunk)
      all.append(try finiteLogits(onlyLast: false))
    }
    return all
  }

  private func check(_ tokens: [Int]) throws(ModelError) {
    try model.check(tokens, "text")
    precondition(state.positionCount + tokens.count <= state.capacity, "Text exceeds capacity")
  }

  private mutating func advance(over chunk: ArraySlice<Int>) {
    // Only a pass over a source is recorded.
    var recorder: SourceStates.Recorder?
    model.transformer.advance(&state, over: chunk, model.kernels, recordingInto: &recorder)
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

  /// Reads the source through the base of the FLARE adapter and keeps what the adapter needs.
  private static func read(
    _ source: [Int], with model: LanguageModel, targetPositionCount: Int
  ) -> SourceStates {
    var state = DecodingState(model.configuration, capacity: source.count, pass: .source)
    var recorder: SourceStates.Recorder? = SourceStates.Recorder()
    for chunk in source.chunks(of: DecodingState.chunkSize) {
      model.transformer.advance(&state, over: chunk, model.kernels, recordingInto: &recorder)
    }
    guard let recorder else { preconditionFailure("Recorder lost") }
    return recorder.finish(
      sourcePositionCount: source.count, targetPositionCount: targetPositionCount)
  }
}

extension Array {
  /// The elements in order, in runs of at most `size`.
  fileprivate func chunks(of size: Int) -> some Sequence<ArraySlice<Element>> {
    stride(from: 0, to: count, by: size).lazy.map { self[$0..<Swift.min($0 + size, count)] }
  }
}
