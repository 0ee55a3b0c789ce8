/// How the deltas of several adapters, trained beside each other on one base, become one.
///
/// With `t` the delta `scaling · B · A` of each adapter and `w` its weight, element by element:
public enum CombinationMethod: Sendable, Hashable {
  /// `Σ w · t`.
  case linear
  /// Of each `t` only the `density` elements of the largest magnitude; of those the ones that have
  /// the sign of the elements' sum; their weighted mean. Yadav et al., arXiv 2306.01708.
  case ties(density: Double)
  /// Of each `t` a random share of `density`, divided by it; then their weighted sum. Yu et al.,
  /// arXiv 2311.03099.
  case dareLinear(density: Double, seed: UInt64)
  /// The random share of `dareLinear`, then the election and the mean of `ties`.
  case dareTies(density: Double, seed: UInt64)

  /// As options and reports name it.
  public var name: String {
    switch self {
    case .linear: "linear"
    case .ties: "ties"
    case .dareLinear: "dare-linear"
    case .dareTies: "dare-ties"
    }
  }

  var density: Double {
    switch self {
    case .linear: 1
    case .ties(let density), .dareLinear(let density, _), .dareTies(let density, _): density
    }
  }

  var electsSigns: Bool {
    switch self {
    case .linear, .dareLinear: false
    case .ties, .dareTies: true
    }
  }
}
