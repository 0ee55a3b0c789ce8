import Adapters
import Kernels

/// A source on its way to the states that a FLARE adapter needs of it, and, when it is continued,
/// the base that goes on writing it.
struct SourceReader: ~Copyable {
  let states: SourceStates
  private let model: LanguageModel
  /// nil when the source ends with its last token.
  private var writer: Writer?

  /// What it takes to go on writing the source.
  private struct Writer: ~Copyable {
    let state: DecodingState
    var work: Workspace
  }

  /// A source that has been read before.
  init(_ states: SourceStates, of model: LanguageModel) {
    self.states = states
    self.model = model
    writer = nil
  }

  /// Reads `tokens` with the base of the FLARE adapter.
  ///
  /// Keys and values are exact, however the text keeps its own: a cached source serves any text, and
  /// gives the bits that a source which is read gives.
  ///
  /// - Parameter extraCount: how many tokens may follow; 0 for a source that is not continued.
  init(_ tokens: [Int], with model: LanguageModel, extraCount: Int) {
    self.model = model
    states = SourceStates()
    let transformer = model.sourceTransformer
    let limit = transformer.configuration.maximumPositionCount
    let state = DecodingState(
      transformer.configuration,
      capacity: max(tokens.count, min(tokens.count + extraCount, limit)), pass: .source,
      keyValueType: .float32)
    var work = Workspace(transformer, rowCapacity: min(Workspace.chunkSize, tokens.count))
    for chunk in tokens.chunks(of: Workspace.chunkSize) {
      Self.advance(state, over: chunk, model, &work, recordingInto: states)
    }
    writer = extraCount > 0 ? Writer(state: state, work: work) : nil
  }

  /// Writes on greedily until the source has `count` positions, ends by itself, or is full.
  mutating func extend(to count: Int) {
    guard var writer = writer.take() else { return }
    while states.positionCount < min(count, writer.state.capacity) {
      let context = PassContext(model.kernels, .source)
      model.sourceTransformer.writeLogits(&writer.work, onlyLast: true, context)
      let token = Sampler.largest(writer.work.logits[0])
      // Without its writer it is never extended again.
      if model.endOfTextTokens.contains(token) { return }
      Self.advance(writer.state, over: [token], model, &writer.work, recordingInto: states)
    }
    self.writer = consume writer
  }

  private static func advance(
    _ state: DecodingState, over tokens: ArraySlice<Int>, _ model: LanguageModel,
    _ work: inout Workspace, recordingInto states: SourceStates
  ) {
    var context = PassContext(model.kernels, .source)
    context.append(tokens, to: state)
    model.sourceTransformer.advance(context, &work, recordingInto: states)
  }
}

extension Array {
  /// The elements in order, in runs of at most `size`.
  func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
