import Adapters
import Kernels
import Tensors

/// The table that turns tokens into the hidden states that enter the first layer.
struct Embedding: Sendable {
  /// One row a token, `[vocabularySize, hiddenSize]`.
  let weight: Tensor
  let updates: [EmbeddingUpdate]

  /// Writes the rows of the pass's tokens, `[rows, hiddenSize]`.
  func apply(
    into output: inout FloatMatrix, _ work: inout LowRankWorkspace, _ context: PassContext
  ) {
    let kernels = context.kernels, tokens = context.tokens
    kernels.gatherRows(tokens, of: weight, into: &output)
    for update in updates {
      guard case .delta(let sign)? = update.update.term(in: context.pass) else { continue }
      work.down.reshape(rowCount: tokens.count, columnCount: update.update.rank)
      kernels.gatherRows(tokens, of: update.update.loraB, into: &work.down)
      let term = LowRankTerm(
        update.upProjection, scale: sign * update.update.scaling)
      kernels.add(term, of: work.down, to: &output)
      if let factors = update.lengthFactors { kernels.scaleColumns(of: &output, by: factors) }
    }
  }
}

/// A low-rank update of the embeddings, ready to run.
struct EmbeddingUpdate: Sendable {
  let update: LowRankUpdate
  /// Of `loraA`: one row of `loraB` times it is a token's delta.
  let upProjection: LowRankFactor
  /// DoRA's factor of each column; nil without.
  let lengthFactors: Tensor?

  init(_ update: LowRankUpdate, lengthFactors: Tensor?, with kernels: Kernels) {
    self.update = update
    self.lengthFactors = lengthFactors
    upProjection = LowRankFactor(update.loraA, mayRound: false, with: kernels)
  }
}
