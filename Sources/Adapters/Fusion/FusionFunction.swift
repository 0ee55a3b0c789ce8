/// How FLARE joins the source's and the target's down-projected states, both `[positions, r]`.
///
/// After arXiv 2501.06892, `fusion_fn` in `adapter_config.json`.
public enum FusionFunction: String, Sendable, Hashable, CaseIterable {
  /// `s + t`
  case add
  /// `s ⊙ t`
  case mul
  /// `relu(s) + relu(t)`, the paper's choice
  case addRelu = "add_relu"
  /// `(s · tᵀ) · t`, neither scaled nor masked
  case matmul
  /// The same of `relu(s)` and `relu(t)`
  case matmulRelu = "matmul_relu"
  /// `softmax(Q(s) · K(t)ᵀ / √d) · V(t)`; see `CrossAttention`
  case crossAttention = "cross-attention"

  /// Whether `φ(s, t) = φ(s, 0) + t`, so that the target's part can be in the weights.
  var isLinear: Bool { self == .add }

  /// Whether a position sees the others, so that a prompt must be fused whole, in one piece.
  public var mixesPositions: Bool {
    switch self {
    case .add, .mul, .addRelu: false
    case .matmul, .matmulRelu, .crossAttention: true
    }
  }
}
