public import Files

/// Why a tensor could not be quantized.
public struct QuantizationError: FlareError {
  public let code: Code
  public let description: String
  public var kind: FailureKind { .badInput }

  public enum Code: Sendable, Hashable {
    /// The tensor is not a float matrix of whole groups.
    case unsuitable
    /// An element is NaN or infinite.
    case notFinite
    /// A group is too large for a float16 scale.
    case tooLarge
  }

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
