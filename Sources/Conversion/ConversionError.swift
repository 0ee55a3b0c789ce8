public import Files

/// A conversion that cannot be made as asked.
public struct ConversionError: FlareError {
  public let kind: FailureKind
  public let description: String

  init(_ kind: FailureKind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
