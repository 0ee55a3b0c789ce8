import JSON

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
    /// Llama 3.1: low frequencies divided, high ones kept, a smooth passage between.
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalPositionCount: Double)
  }

  public let theta: Double
  public let scaling: Scaling
  /// Radians per position, `[headDimension / 2]`.
  public let inverseFrequencies: [Float]

  public init(theta: Double, scaling: Scaling, headDimension: Int) {
    self.theta = theta
    self.scaling = scaling
    inverseFrequencies = (0..<headDimension / 2).map { index in
      // In float32 step by step, because that is what the models were trained with.
      let exponent = Float(2 * index) / Float(headDimension)
      return scaling.scaled(1 / powf(Float(theta), exponent))
    }
  }
}

extension RotaryEmbedding.Scaling {
  fileprivate func scaled(_ frequency: Float) -> Float {
    switch self {
    case .none: return frequency
    case .linear(let factor): return frequency / Float(factor)
    case .llama3(let factor, let low, let high, let originalPositionCount):
      let wavelength = 2 * Float.pi / frequency
      let length = Float(originalPositionCount)
      if wavelength < length / Float(high) { return frequency }
      if wavelength > length / Float(low) { return frequency / Float(factor) }
      let smooth = (length / wavelength - Float(low)) / Float(high - low)
      return (1 - smooth) * frequency / Float(factor) + smooth * frequency
    }
  }
}

extension RotaryEmbedding {
  /// Reads the rope of a `config.json`: `rope_parameters` of transformers 5, or `rope_theta` with
  /// `rope_scaling` of transformers 4.
  ///
  /// - Throws: `ModelError` for an unknown type or parameter, `JSONFieldError` for a malformed one.
  init(_ config: JSONFields, headDimension: Int) throws {
    if let new = config["rope_parameters"], let old = config["rope_scaling"], !new.isVacuous,
      !old.isVacuous, new != old
    {
      throw ModelError(
        .configuration,
        "\(config.subject): 'rope_parameters' and 'rope_scaling' differ. Remove one of them")
    }
    let parameters = try config.fields("rope_parameters") ?? config.fields("rope_scaling")
    let theta =
      try parameters?.optional("rope_theta", as: Double.self)
      ?? config.optional("rope_theta", as: Double.self) ?? 10_000
    guard theta > 0, theta.isFinite else {
      throw ModelError(
        .configuration, "\(config.subject): 'rope_theta' is \(theta), expected a positive number")
    }
    let scaling = try parameters.map { try Scaling($0, of: config) } ?? .none
    self.init(theta: theta, scaling: scaling, headDimension: headDimension)
  }
}

extension RotaryEmbedding.Scaling {
  fileprivate init(_ parameters: JSONFields, of config: JSONFields) throws {
    let type =
      try parameters.optional("rope_type", as: String.self)
      ?? parameters.optional("type", as: String.self) ?? "default"
    var known: Set = ["rope_type", "type", "rope_theta", "original_max_position_embeddings"]
    switch type {
    case "default":
      self = .none
    case "linear":
      known.insert("factor")
      self = .linear(factor: try Self.positive("factor", in: parameters))
    case "llama3":
      known.formUnion(["factor", "low_freq_factor", "high_freq_factor"])
      let low = try Self.positive("low_freq_factor", in: parameters)
      let high = try Self.positive("high_freq_factor", in: parameters)
      guard low < high else {
        throw ModelError(
          .configuration,
          "\(parameters.subject): 'low_freq_factor' is \(low), "
            + "expected less than 'high_freq_factor' \(high)")
      }
      let length =
        try parameters.optional("original_max_position_embeddings", as: Double.self)
        ?? config.required("max_position_embeddings")
      guard length >= 1 else {
        throw ModelError(
          .configuration,
          "\(parameters.subject): 'original_max_position_embeddings' is \(length), "
            + "expected 1 or more")
      }
      self = .llama3(
        factor: try Self.positive("factor", in: parameters), lowFrequencyFactor: low,
        highFrequencyFactor: high, originalPositionCount: length)
    default:
      throw ModelError(
        .unsupported,
        "\(parameters.subject): 'rope_type' is \"\(type)\", which this version cannot run "
          + "(known: default, linear, llama3)")
    }
    if try parameters.optional("partial_rotary_factor", as: Double.self) == 1 {
      known.insert("partial_rotary_factor")
    }
    for (key, value) in parameters.members where !known.contains(key) && !value.isVacuous {
      throw ModelError(
        .unsupported,
        "\(parameters.subject): '\(key)' is \(value.shortDescription), "
          + "which \"\(type)\" does not have")
    }
  }

  private static func positive(_ key: String, in fields: JSONFields) throws -> Double {
    let value = try fields.required(key, as: Double.self)
    guard value > 0 else {
      throw ModelError(
        .configuration, "\(fields.subject): '\(key)' is \(value), expected a positive number")
    }
    return value
  }
}
