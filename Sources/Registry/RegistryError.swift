public import Files

/// Why something could not be fetched from a registry or put there.
public struct RegistryError: FlareError {
  public enum Code: Sendable, Hashable {
    /// The text is no `HOST/NAME[:TAG|@DIGEST]`.
    case malformedReference
    /// The text is no `sha256:` and 64 hexadecimal digits.
    case malformedDigest
    /// Credentials are in a form that cannot be read or sent.
    case malformedCredentials
    /// The files cannot be one artifact: none, or paths that are not plain or clash.
    case unusableFiles
    /// The manifest or the configuration is not the JSON that it should be.
    case malformedManifest
    /// What the reference names is no ModelPack artifact.
    case notAModelPack
    /// A layer is packed in a way that this version does not read.
    case unsupportedMediaType
    /// A layer is no archive of the one file that it says it has.
    case malformedArchive
    /// Something is longer than announced, or than any honest one.
    case tooLarge
    /// The bytes are not those that the digest stands for.
    case digestMismatch
    /// There is no such repository, tag, manifest or blob.
    case notFound
    /// The registry wants a user and a password, or does not take those that it was given.
    case unauthorized
    /// The registry knows the user and does not allow this.
    case denied
    /// Going on would send credentials or data where they must not go.
    case insecure
    /// No connection, no answer in time, or a TLS failure.
    case unreachable
    /// The registry answered with an error.
    case refused
    /// The registry answered with something that the protocol does not know.
    case unexpectedAnswer
    /// Another process is fetching the same blob to the same place.
    case busy
  }

  public let code: Code
  /// What the error is about: a registry, a repository, a blob in one, a file.
  public let subject: String
  /// What is wrong with it, as the end of a sentence that begins with the subject.
  public let detail: String

  init(_ code: Code, _ subject: String, _ detail: String) {
    self.code = code
    self.subject = subject
    self.detail = detail
  }

  public var kind: FailureKind {
    switch code {
    case .malformedReference, .malformedCredentials, .insecure: .usage
    case .malformedDigest, .unusableFiles, .malformedManifest, .notAModelPack,
      .unsupportedMediaType, .malformedArchive, .tooLarge, .digestMismatch, .notFound:
      .badInput
    case .unauthorized, .denied, .unreachable, .refused, .unexpectedAnswer: .unavailable
    case .busy: .cannotWrite
    }
  }

  public var description: String { "\(subject): \(detail)" }
}

extension StringProtocol {
  /// The text in one line for a message, cut when it is long.
  ///
  /// What a server says may hold anything: line breaks, escape sequences, or a megabyte.
  var inMessage: String {
    let limit = 200
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars.prefix(limit) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: text.append(" ")
      default: text.append(scalar)
      }
    }
    return String(text) + (unicodeScalars.count > limit ? "..." : "")
  }
}
