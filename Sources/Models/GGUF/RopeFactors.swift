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
  /// factors matter. Released models have a low frequency factor of 1, which is taken for all.
  ///
  /// - Throws: `ModelError` when no parameters give these factors.
  func parameters(theta: Double, subject: String) throws(ModelError) -> JSONObject? {
    guard let factor = values.last.map(Double.init), values.contains(where: { $0 != 1 }) else {
      return nil
    }
    if values.allSatisfy({ $0 == values[0] }) {
      return ["rope_type": "linear", "factor": .number(factor)]
    }
    let unit = 8192.0
    let bends = Self.bends(points(theta: theta, factor: factor, length: unit))
    for (low, high) in [(1, 4)] + bends where low > 0 {
      let length = unit / low, ratio = high / low
      // What is nearly a whole number was one before it went through float32.
      for (length, ratio) in [(length.rounded(), ratio.rounded()), (length, ratio)] {
        let rebuilt = RopeFactors(
          theta: theta, headDimension: 2 * values.count, factor: factor, lowFrequencyFactor: 1,
          highFrequencyFactor: ratio, originalPositionCount: length)
        guard rebuilt.isClose(to: self) else { continue }
        return [
          "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": 1,
          "high_freq_factor": .number(ratio),
          "original_max_position_embeddings": Int(exactly: length).map { .integer($0) }
            ?? .number(length),
        ]
      }
    }
    throw ModelError(
      .unsupported,
      "\(subject): '\(GGUFModelKeys.ropeFactors)' follows no rule that this version knows "
        + "(known: llama3)")
  }

  /// For each pair the turns it makes in `length`, and how far between divided (0) and kept (1) it is.
  private func points(theta: Double, factor: Double, length: Double) -> [(
    turns: Double, kept: Double
  )] {
    values.enumerated().map { index, value in
      let wavelength = Self.wavelength(index, theta: theta, headDimension: 2 * values.count)
      return (length / wavelength, (1 / Double(value) - 1 / factor) / (1 - 1 / factor))
    }
  }

  /// Frequency factors that can have made the points: where the line between divided and kept ends.
  ///
  /// Two points on the line give it. With fewer there is a choice, and none that is wrong: the line has
  /// to pass between the last pair kept and the first divided, and through the point if there is one.
  private static func bends(
    _ points: [(turns: Double, kept: Double)]
  ) -> [(low: Double, high: Double)] {
    let line = points.filter { 1e-6 < $0.kept && $0.kept < 1 - 1e-6 }
    if let first = line.first, let last = line.last, first.turns != last.turns {
      let slope = (first.kept - last.kept) / (first.turns - last.turns)  // 1 / (high − low)
      let low = first.turns - first.kept / slope
      return slope > 0 && low > 0 ? [(low, low + 1 / slope)] : []
    }
    let kept = points.last { $0.kept >= 1 - 1e-6 }?.turns ?? .infinity
    let divided = points.first { $0.kept <= 1e-6 }?.turns ?? 0
    guard let point = line.first else {
      guard kept.isFinite else { return [] }
      let third = (kept - divided) / 3
      return [(divided + third, kept - third)]
    }
    func high(_ low: Double) -> Double { low + (point.turns - low) / point.kept }
    let least = kept.isFinite ? (point.turns - point.kept * kept) / (1 - point.kept) : 0
    let low = (max(divided, least) + point.turns) / 2
    return [(low, high(low))]
  }

  private func isClose(to other: RopeFactors) -> Bool {
    zip(values, other.values).allSatisfy { abs($0 - $1) <= 1e-4 * $1 }
  }
}

extension ModelConfiguration {
  /// The factors that a GGUF file needs to say the rope's scaling; nil when it needs none.
  package var ropeFactors: RopeFactors? {
    guard case .llama3(let factor, let low, let high, let length) = rope.scaling else { return nil }
    return RopeFactors(
      theta: rope.theta, headDimension: headDimension, factor: factor, lowFrequencyFactor: low,
      highFrequencyFactor: high, originalPositionCount: length)
  }
}
