#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The frequencies by which rotary position embedding turns pairs of elements.
///
/// Element `i` and element `i + headDimension / 2` turn together by
/// `position · inverseFrequencies[i]`. After transformers' `modeling_rope_utils.py`.
public struct RotaryEmbedding: Sendable {
  /// How positions beyond the pre-training length are handled.
  public enum Scaling: Sendable, Hashable {
    case none
    /// All frequencies divided by a factor.
    case linear(factor: Double)
    /// A larger theta for a longer text, so that the lowest frequency is divided by about
    /// `factor · length / originalPositionCount - (factor - 1)`; nothing changes up to
    /// `originalPositionCount`.
    case dynamic(factor: Double, originalPositionCount: Double)
    /// Low frequencies divided, high ones kept, by how often they turn in the original length.
    case yarn(YarnScaling)
    /// Llama 3.1: low frequencies divided, high ones kept, a smooth passage between.
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalPositionCount: Double)
  }

  public let theta: Double
  public let scaling: Scaling
  public let headDimension: Int
  /// Radians per position, `[headDimension / 2]`, of a text no longer than the model was trained
  /// with.
  public let inverseFrequencies: [Float]

  /// - Precondition: `headDimension` is even, and over 2 for dynamic scaling.
  public init(theta: Double, scaling: Scaling, headDimension: Int) {
    self.theta = theta
    self.scaling = scaling
    self.headDimension = headDimension
    inverseFrequencies = scaling.inverseFrequencies(
      theta: Float(theta), headDimension: headDimension)
  }

  /// What sines and cosines are multiplied by.
  public var attentionFactor: Float {
    if case .yarn(let yarn) = scaling { Float(yarn.attentionFactor) } else { 1 }
  }

  /// Radians per position, `[headDimension / 2]`, of a text of up to `length` positions.
  ///
  /// Only dynamic scaling makes them differ with the length. Keys that are in a cache have been
  /// turned, so a text has one length from its first token on: the longest that it may get. Every
  /// row then has what one pass over a text of that length gives it.
  public func inverseFrequencies(length: Int) -> [Float] {
    guard case .dynamic(let factor, let original) = scaling, Double(length) > original else {
      return inverseFrequencies
    }
    let stretch = Float(factor) * Float(length) / Float(original) - Float(factor - 1)
    let exponent = Float(Double(headDimension) / Double(headDimension - 2))
    return Scaling.none.inverseFrequencies(
      theta: Float(theta) * powf(stretch, exponent), headDimension: headDimension)
  }
}

extension RotaryEmbedding.Scaling {
  fileprivate func inverseFrequencies(theta: Float, headDimension: Int) -> [Float] {
    // In float32 step by step, because that is what the models were trained with.
    let frequencies = (0..<headDimension / 2).map { index in
      1 / powf(theta, Float(2 * index) / Float(headDimension))
    }
    switch self {
    case .none, .dynamic: return frequencies
    case .linear(let factor): return frequencies.map { $0 / Float(factor) }
    case .yarn(let yarn):
      return yarn.scaled(frequencies, theta: Double(theta), headDimension: headDimension)
    case .llama3(let factor, let low, let high, let originalPositionCount):
      let length = Float(originalPositionCount)
      return frequencies.map { frequency in
        let wavelength = 2 * Float.pi / frequency
        if wavelength < length / Float(high) { return frequency }
        if wavelength > length / Float(low) { return frequency / Float(factor) }
        let smooth = (length / wavelength - Float(low)) / Float(high - low)
        return (1 - smooth) * frequency / Float(factor) + smooth * frequency
      }
    }
  }

  /// The longest text of a model whose `max_position_embeddings` are `positionCount`.
  ///
  /// The other scalings are in that number already.
  func reach(of positionCount: Int) -> Int {
    guard case .dynamic(let factor, _) = self else { return positionCount }
    return Int(Double(positionCount) * factor)
  }
}
