public import Files

/// A model that cannot be read or run.
public struct ModelError: FlareError {
  public enum Code: Sendable {
    /// `config.json` is malformed or contradicts itself.
    case configuration
    /// An architecture or an option that changes numbers and is not implemented.
    case unsupported
    /// A tensor is missing, left over, or has the wrong shape or type.
    case tensors
    /// Nothing Flare knows as a model is at the path.
    case notAModel
    /// The model has no chat template, or something is no message.
    case chat
    /// The model has no tokenizer, so it reads tokens but no text.
    case missingTokenizer
    /// A model is not the one that something was made for, or cannot say which one it is.
    case identity
    /// A source cache that is none, or was made with another model.
    case sourceCache
    /// The call does not fit the model: a token out of range, a source where none is read.
    case request
  }

  public let code: Code
  public let description: String

  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  public var kind: FailureKind { code == .request ? .usage : .badInput }
}
