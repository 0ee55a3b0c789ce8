import Kernels
import Tensors

/// Root mean square normalisation: `x / √(mean(x²) + ε) ⊙ weight`.
struct RMSNorm: Sendable {
  /// One weight a column, `[hiddenSize]`, or `[headDimension]` for the norm of heads.
  let weight: Tensor
  let epsilon: Float
  /// Gemma stores `w` and multiplies by `1 + w`.
  let isOffsetByOne: Bool

  func apply(
    _ input: borrowing FloatMatrix, into output: inout FloatMatrix, _ kernels: Kernels
  ) {
    kernels.normalize(
      input, weight: weight, epsilon: epsilon, unitOffset: isOffsetByOne, into: &output)
  }

  /// Norms every head of every row by itself, `[rows, heads · headDimension]`.
  func applyToHeads(of x: inout FloatMatrix, _ kernels: Kernels) {
    kernels.normalizeHeads(of: &x, weight: weight, epsilon: epsilon, unitOffset: isOffsetByOne)
  }
}
