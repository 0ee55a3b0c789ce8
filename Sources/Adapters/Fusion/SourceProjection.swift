public import Tensors

/// FLARE-MT's way into the model: a linear from the states of a translation model's encoder to the
/// hidden states that every fused layer reads as its source.
public struct SourceProjection: Sendable {
  /// Float32 `[hiddenSize, encoderSize]`.
  public let weight: Tensor
  /// Float32 `[hiddenSize]`.
  public let bias: Tensor

  package init(weight: Tensor, bias: Tensor) {
    self.weight = weight
    self.bias = bias
  }

  /// The width of the encoder's states.
  public var encoderSize: Int { weight.shape[1] }
}
