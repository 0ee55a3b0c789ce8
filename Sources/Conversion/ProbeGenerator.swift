import Adapters
import Models
import Tensors

/// The same random probes for every model: what matters is that two models read the same.
struct ProbeGenerator {
  private var random = SplitMix64(state: 0x666C_6172_65)

  mutating func tokens(_ count: Int, below limit: Int) -> [Int] {
    (0..<count).map { _ in Int.random(in: 0..<limit, using: &random) }
  }

  /// A source of the kind that the adapters of `model` read; nil when they read none.
  mutating func source(_ count: Int, below limit: Int, for model: LanguageModel) -> Source? {
    guard model.adapters.readsSource else { return nil }
    guard let projection = model.adapters.sourceProjection else {
      return .tokens(tokens(count, below: limit))
    }
    let states = (0..<count * projection.encoderSize).map { _ in
      Float.random(in: -1...1, using: &random)
    }
    return .states(Tensor(states, shape: [count, projection.encoderSize]))
  }
}
