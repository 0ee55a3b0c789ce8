#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// YaRN: pairs that turn often within the pre-training length keep their frequency, those that turn
/// seldom have it divided, and between the two is a ramp over the index of the pair.
///
/// After `_compute_yarn_parameters` of transformers.
public struct YarnScaling: Sendable, Hashable {
  public let factor: Double
  public let originalPositionCount: Double
  /// Pairs that turn at least so often keep their frequency.
  public let fastTurnCount: Double
  /// Pairs that turn at most so often have it divided.
  public let slowTurnCount: Double
  /// Whether the ends of the ramp are whole indices.
  public let truncates: Bool
  /// What sines and cosines are multiplied by.
  public let attentionFactor: Double

  /// - Parameter attentionFactor: nil for the paper's `0.1 · ln(factor) + 1`.
  public init(
    factor: Double, originalPositionCount: Double, fastTurnCount: Double = 32,
    slowTurnCount: Double = 1, truncates: Bool = true, attentionFactor: Double? = nil
  ) {
    self.factor = factor
    self.originalPositionCount = originalPositionCount
    self.fastTurnCount = fastTurnCount
    self.slowTurnCount = slowTurnCount
    self.truncates = truncates
    self.attentionFactor = attentionFactor ?? Self.magnitude(factor)
  }

  /// By how much scores are to grow when positions are divided by `factor`.
  package static func magnitude(_ factor: Double, scale: Double = 1) -> Double {
    factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
  }

  func scaled(_ frequencies: [Float], theta: Double, headDimension: Int) -> [Float] {
    let ramp = ramp(theta: theta, headDimension: headDimension)
    return frequencies.enumerated().map { index, frequency in
      let kept = 1 - min(max((Float(index) - ramp.low) / (ramp.high - ramp.low), 0), 1)
      return frequency / Float(factor) * (1 - kept) + frequency * kept
    }
  }

  /// Indices between which frequencies go from kept to divided.
  private func ramp(theta: Double, headDimension: Int) -> (low: Float, high: Float) {
    /// The index, not whole, of the pair that turns so often in the pre-training length.
    func index(turning count: Double) -> Double {
      Double(headDimension) * log(originalPositionCount / (count * 2 * .pi)) / (2 * log(theta))
    }
    var low = index(turning: fastTurnCount), high = index(turning: slowTurnCount)
    if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    low = max(low, 0)
    high = min(high, Double(headDimension - 1))
    return (Float(low), Float(low == high ? high + 0.001 : high))
  }
}
