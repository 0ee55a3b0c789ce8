import Kernels

/// A rotary position embedding for one text: what is left to know of it once the text's length is.
struct TextRope: Sendable {
  /// Radians per position, `[headDimension / 2]`.
  let inverseFrequencies: [Float]
  /// What sines and cosines are multiplied by.
  let attentionFactor: Float

  /// - Parameter length: the longest the text can get, in tokens.
  init(_ rope: RotaryEmbedding, length: Int) {
    inverseFrequencies = rope.inverseFrequencies(length: length)
    attentionFactor = rope.attentionFactor
  }
}

extension PassContext.Segment {
  /// Writes by what the segment's rows turn.
  func write(_ rope: TextRope, into rotations: inout FloatMatrix, _ kernels: Kernels) {
    kernels.writeRotations(
      rows, firstPosition: firstPosition, inverseFrequencies: rope.inverseFrequencies,
      attentionFactor: rope.attentionFactor, into: &rotations)
  }
}
