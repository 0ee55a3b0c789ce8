import Adapters
import Kernels
import Tensors

/// The table that turns tokens into the hidden states that enter the first layer.
struct Embedding: Sendable {
  /// One row a token, `[vocabularySize, hiddenSize]`.
  let weight: Tensor
  let updates: [EmbeddingUpdate]

  /// Writes the rows of `tokens`, `[tokens.count, hiddenSize]`.
  func apply(_ tokens: [Int], into output: inout FloatMatrix, _ context: PassContext) {
    let kernels = context.kernels
    kernels.gatherRows(tokens, of: weight, into: &output)
    for update in updates {
      guard case .delta(let sign)? = update.update.term(in: context.pass) else { continue }
      var rows = FloatMatrix(rowCapacity: tokens.count, columnCount: update.update.rank)
      kernels.gatherRows(tokens, of: update.update.loraB, into: &rows)
      kernels.multiplyAdding(
        update.upProjection, rows, scale: sign * update.update.scaling, to: &output)
      if let factors = update.lengthFactors { kernels.scaleColumns(of: &output, by: factors) }
    }
  }
}

/// A low-rank update of the embeddings, ready to run.
struct EmbeddingUpdate: Sendable {
  let update: LowRankUpdate
  /// `loraA` turned around, `[hiddenSize, r]`: one row of `loraB` times it is a token's delta.
  let upProjection: Tensor
  /// DoRA's factor of each column; nil without.
  let lengthFactors: Tensor?

  init(_ update: LowRankUpdate, lengthFactors: Tensor?) {
    self.update = update
    upProjection = update.loraA.transposed
    self.lengthFactors = lengthFactors
  }
}
