import Adapters
import Kernels
import Tensors

extension LanguageModel {
  /// Checks that an adapter of this model can read `source`.
  ///
  /// - Throws: `ModelError` when none reads one, or it reads another kind.
  func check(_ source: Source) throws(ModelError) {
    func refuse(_ detail: String) -> ModelError { ModelError(.request, detail) }
    guard adapters.readsSource else {
      throw refuse(
        "a source is given, but no adapter of this model reads one; it would change nothing")
    }
    switch source.content {
    case .tokens(let tokens):
      guard adapters.sourceProjection == nil else {
        throw refuse(
          "a source text is given, but the FLARE adapter reads the states of a translation model's "
            + "encoder. Give them as a file of states")
      }
      try check(tokens, "source", vocabularySize: sourceTransformer.configuration.vocabularySize)
      return
    case .states(let states):
      guard let projection = adapters.sourceProjection else {
        throw refuse(
          "encoder states are given, but the FLARE adapter reads a source text; it has no 'proj'")
      }
      guard states.shape.rank == 2, states.shape[0] > 0, states.shape[1] == projection.encoderSize,
        states.elementType.isComputable, kernels.floats(of: states).isFinite
      else {
        throw refuse(
          "the encoder states are \(states.elementType) \(states.shape), expected finite numbers "
            + "[positions, \(projection.encoderSize)]")
      }
    case .cache(let cache):
      try check(cache)
    }
    guard !source.isContinued else {
      throw refuse("only a source text can be continued, and none is given")
    }
  }

  /// Reads `source`, as far as that takes a reading.
  ///
  /// - Parameter extraCount: how many tokens a continued source may get.
  func read(_ source: Source, extraCount: Int) -> SourceReader {
    switch source.content {
    case .tokens(let tokens):
      SourceReader(tokens, with: self, extraCount: source.isContinued ? extraCount : 0)
    case .states(let states): SourceReader(project(states), of: self)
    case .cache(let cache): SourceReader(SourceStates(cache), of: self)
    }
  }

  /// FLARE-MT's states: one projection of the encoder's, the same for every layer.
  private func project(_ encoderStates: Tensor) -> SourceStates {
    guard let projection = adapters.sourceProjection else {
      preconditionFailure("No projection in the stack")
    }
    let input = kernels.floats(of: encoderStates)
    var hidden = FloatMatrix(rowCapacity: input.rowCount, columnCount: configuration.hiddenSize)
    kernels.multiplyAdding(projection.weight, input, scale: 1, to: &hidden)
    kernels.addBias(projection.bias, to: &hidden)
    let states = SourceStates()
    for layer in transformer.layers {
      states.record(hidden, for: layer.attention.fusedLayers, kernels)
    }
    states.advance(by: input.rowCount)
    return states
  }
}
