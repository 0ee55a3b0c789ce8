import Adapters
import Kernels

/// A source on its way to the states that a FLARE adapter needs of it, and, when it is continued,
/// the base that goes on writing it.
struct SourceReader: ~Copyable {
  let states: SourceStates
  private let model: LanguageModel
  /// nil when the source ends with its last token.
  private var state: DecodingState?

  /// A source that has been read before.
  init(_ states: SourceStates, of model: LanguageModel) {
    self.states = states
    self.model = model
    state = nil
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
    let configuration = model.sourceTransformer.configuration
    var state = DecodingState(
      configuration,
      capacity: max(
        tokens.count, min(tokens.count + extraCount, configuration.maximumPositionCount)),
      pass: .source, keyValueType: .float32)
    for chunk in tokens.chunks(of: DecodingState.chunkSize) {
      model.sourceTransformer.advance(&state, over: chunk, model.kernels, recordingInto: states)
    }
    if extraCount > 0 { self.state = consume state } else { self.state = nil }
  }

  /// Writes on greedily until the source has `count` positions, ends by itself, or is full.
  mutating func extend(to count: Int) {
    guard var state = state.take() else { return }
    let transformer = model.sourceTransformer
    while states.positionCount < min(count, state.capacity) {
      let logits = transformer.logits(&state, onlyLast: true, model.kernels)
      let token = Sampler.largest(logits[0])
      // Without its state it is never extended again.
      if model.endOfTextTokens.contains(token) { return }
      transformer.advance(&state, over: [token], model.kernels, recordingInto: states)
    }
    self.state = consume state
  }
}

extension Array {
  /// The elements in order, in runs of at most `size`.
  func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
