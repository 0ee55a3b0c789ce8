import JSON

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the frequencies of a rotary embedding are divided by, `[headDimension / 2]`: how GGUF says
/// Llama 3's scaling, whose parameters it does not keep.
package struct RopeFactors: Sendable, Hashable {
  package let values: [Float]

  package init(_ values: [Float]) { self.values = values }

  /// The factors of Llama 3's rule, as llama.cpp's converter writes them.
  package init(
    theta: Double, headDimension: Int, factor: Double, lowFrequencyFactor low: Double,
    highFrequencyFactor high: Double, originalPositionCount length: Double
  ) {
    values = (0..<headDimension / 2).map { index in
      let wavelength = RopeFactors.wavelength(index, theta: theta, headDimension: headDimension)
      if wavelength < length / high { return 1 }
      if wavelength > length / low { return Float(factor) }
      let smooth = (length / wavelength - low) / (high - low)
      return Float(1 / ((1 - smooth) / factor + smooth))
    }
  }

  /// Positions in which pair `index` turns once.
  private static func wavelength(_ index: Int, theta: Double, headDimension: Int) -> Double {
    2 * .pi * pow(theta, Double(2 * index) / Double(headDimension))
  }

  /// The `rope_scaling` of a `config.json` that these factors come from; nil when all are 1.
  ///
  /// The rule has a scale of its own: only the ratios of the original length and the two frequency
  /// factors matter, so the length that Llama 3.1 has is taken for all.
  ///
  /// - Throws: `ModelError` when no parameters give these factors.
  func llama3Parameters(theta: Double, subject: String) throws(ModelError) -> JSONObject? {
    guard let factor = values.last.map(Double.init), values.contains(where: { $0 != 1 }) else {
      return nil
    }
    let length = 8192.0
    var candidates = [(low: 1.0, high: 4.0)]
    candidates += between(theta: theta, factor: factor, length: length).map { [$0] } ?? []
    for (low, high) in candidates {
      let rebuilt = RopeFactors(
        theta: theta, headDimension: 2 * values.count, factor: factor, lowFrequencyFactor: low,
        highFrequencyFactor: high, originalPositionCount: length)
      guard rebuilt.isClose(to: self) else { continue }
      return [
        "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low),
        "high_freq_factor": .number(high),
        "original_max_position_embeddings": .integer(Int(length)),
      ]
    }
    throw ModelError(
      .unsupported,
      "\(subject): '\(GGUFModelKeys.ropeFactors)' follows no rule that this version knows "
        + "(known: llama3)")
  }

  /// The two frequency factors, from two of the frequencies between them, where the rule is a line.
  private func between(
    theta: Double, factor: Double, length: Double
  ) -> (low: Double, high: Double)? {
    let points = values.enumerated().filter { $1 > 1 && Double($1) < factor }.map { index, value in
      let wavelength = Self.wavelength(index, theta: theta, headDimension: 2 * values.count)
      let smooth = (1 / Double(value) - 1 / factor) / (1 - 1 / factor)
      return (x: length / wavelength, y: smooth)
    }
    guard let first = points.first, let last = points.last, first.x != last.x else { return nil }
    let slope = (first.y - last.y) / (first.x - last.x)  // 1 / (high − low)
    let low = first.x - first.y / slope
    guard slope > 0, low > 0 else { return nil }
    return (low, low + 1 / slope)
  }

  private func isClose(to other: RopeFactors) -> Bool {
    zip(values, other.values).allSatisfy { abs($0 - $1) <= 1e-4 * $1 }
  }
}
