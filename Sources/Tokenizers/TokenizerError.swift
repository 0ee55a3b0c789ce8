public import Files

/// What keeps a `tokenizer.json` from being used, in one sentence that begins with the file.
public struct TokenizerError: FlareError, Hashable {
  public enum Code: Sendable {
    /// The file cannot be read.
    case unreadable
    /// The file is not JSON, or contradicts itself.
    case malformed
    /// The file is sound and asks for something that Flare does not do.
    case unsupported
  }

  public let code: Code
  public let description: String

  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  public var kind: FailureKind { .badInput }
}
