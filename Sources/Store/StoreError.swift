public import Files

/// A store that has not what was asked for, or is not as it should be.
public struct StoreError: FlareError {
  public enum Code: Sendable, Hashable {
    /// No variable of the environment says where the store is.
    case noPlace
    /// The text cannot be a name in a store.
    case malformedName
    /// The store has nothing under this name.
    case notFound
    /// The name is taken, and replacing it was not asked for.
    case exists
    /// What the store noted about a name cannot be read.
    case malformedRecord
    /// A file has other bytes than its digest says, or is gone.
    case damaged
    /// The files are no bundle, or not those that the bundle's manifest lists.
    case notABundle
  }

  public let code: Code
  /// What the error is about: a name, a file.
  public let subject: String
  /// What is wrong with it, as the end of a sentence that begins with the subject.
  public let detail: String
  /// What can be done about it, as a sentence, when that is known.
  public let repair: String?

  init(_ code: Code, _ subject: String, _ detail: String, repair: String? = nil) {
    self.code = code
    self.subject = subject
    self.detail = detail
    self.repair = repair
  }

  public var kind: FailureKind {
    switch code {
    case .noPlace, .malformedName: .usage
    case .notFound, .malformedRecord, .damaged, .notABundle: .badInput
    case .exists: .cannotWrite
    }
  }

  public var description: String {
    "\(subject): \(detail)" + (repair.map { ". \($0)" } ?? "")
  }
}
