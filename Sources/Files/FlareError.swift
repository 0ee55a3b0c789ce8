/// An error that a person can act on: one sentence, and what kind of failure it is.
///
/// Every module throws a type of its own that conforms; the command turns `kind` into an exit
/// code and prints `description` as it stands.
public protocol FlareError: Error, CustomStringConvertible, Sendable {
  var kind: FailureKind { get }
}

/// Who has to do something about a failure.
public enum FailureKind: Sendable {
  /// The call was wrong: an option, a combination of options.
  case usage
  /// A file, a value in it, or a pair of files that do not fit.
  case badInput
  /// The destination cannot be written, exists, or is full.
  case cannotWrite
  /// A server that was asked for something does not answer, or refuses.
  case unavailable
  /// A promise inside Flare was broken.
  case bug
}
