/// How FLARE joins the source's and the target's down-projected states, both `[positions, r]`.
///
/// After arXiv 2501.06892, `fusion_fn` in `adapter_config.json`. These work position by position;
/// the functions that mix positions are refused by name until they are implemented.
public enum FusionFunction: String, Sendable, Hashable, CaseIterable {
  /// `s + t`
  case add
  /// `relu(s) + relu(t)`, the paper's choice
  case addRelu = "add_relu"

  /// Whether `φ(s, t) = φ(s, 0) + t`, so that the target's part can be in the weights.
  var isLinear: Bool { self == .add }

  /// Replaces each element of `target` by its fusion with the same element of `source`.
  package func fuse(_ source: Span<Float>, into target: inout MutableSpan<Float>) {
    precondition(source.count == target.count, "Element counts differ")
    switch self {
    case .add:
      for i in source.indices { target[i] += source[i] }
    case .addRelu:
      for i in source.indices { target[i] = max(source[i], 0) + max(target[i], 0) }
    }
  }
}
