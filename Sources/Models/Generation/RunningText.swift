import Adapters
import Kernels

/// One text on its way through a model: what it keeps, and the source that it reads.
///
/// The room to work in belongs to whoever runs passes.
final class RunningText {
  let model: LanguageModel
  let state: DecodingState
  private let promptCount: Int
  /// nil without a source.
  private var reader: SourceReader?

  /// Starts a text, after reading the source if there is one.
  ///
  /// - Parameters:
  ///   - capacity: the longest the text can get, prompt included, in tokens.
  ///   - promptCount: how many of them are the prompt.
  ///   - keyValueType: how keys and values are kept.
  /// - Throws: `ModelError` when the model cannot read the source.
  init(
    _ model: LanguageModel, capacity: Int, promptCount: Int, source: Source?,
    keyValueType: KeyValueType
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
      chunkSize: max(Workspace.chunkSize, model.adapters.mixesPositions ? promptCount : 0))
  }

  /// Whether the rows of the prompt see each other before attention, so that they go together.
  private var mixesPositions: Bool { state.pass == .target && model.adapters.mixesPositions }

  /// The most rows that go through the model together.
  var rowCapacity: Int {
    mixesPositions ? max(promptCount, 1) : min(Workspace.chunkSize, state.capacity)
  }

  /// What goes through the model together.
  ///
  /// A fusion that mixes positions sees the prompt whole and every later position alone, however
  /// the tokens come in.
  func chunks(of tokens: [Int]) throws(ModelError) -> [ArraySlice<Int>] {
    guard mixesPositions else { return tokens.chunks(of: Workspace.chunkSize) }
    guard state.positionCount == 0 else { return tokens.chunks(of: 1) }
    guard tokens.count >= promptCount else {
      throw ModelError(
        .request,
        "the fusion mixes the positions of the prompt, so its \(promptCount) tokens have to come "
          + "together; got \(tokens.count)")
    }
    return [tokens[..<promptCount]] + Array(tokens[promptCount...]).chunks(of: 1)
  }

  /// Adds the next tokens to a pass, once the source is as long as they need it.
  func append(_ tokens: some Collection<Int>, to context: inout PassContext) {
    if let last = state.source?.position(pairedWith: state.positionCount + tokens.count - 1) {
      reader?.extend(to: last + 1)
    }
    context.append(tokens, to: state)
  }

  /// Sends a chunk of the text through all layers, alone.
  func advance(over chunk: ArraySlice<Int>, _ work: inout Workspace) -> PassContext {
    var context = PassContext(model.kernels, state.pass)
    append(chunk, to: &context)
    model.transformer.advance(context, &work)
    return context
  }
}
