public import Files
import JSON
public import SystemPackage

/// An adapter that cannot be read, or does not fit its base.
public struct AdapterError: FlareError {
  public enum Code: Sendable {
    /// `adapter_config.json` is missing, malformed, or of another kind.
    case configuration
    /// An option that changes numbers and is not implemented.
    case unsupported
    /// A tensor is missing, left over, or has the wrong shape.
    case tensors
    /// The adapter and the base do not belong together.
    case baseMismatch
    /// Two adapters that cannot be used together.
    case stack
  }

  public let code: Code
  /// The adapter's directory or file.
  public let path: FilePath
  public let detail: String

  public init(_ code: Code, _ path: FilePath, _ detail: String) {
    self.code = code
    self.path = path
    self.detail = detail
  }

  public var kind: FailureKind { .badInput }
  public var description: String { "\(path): \(detail)" }
}
