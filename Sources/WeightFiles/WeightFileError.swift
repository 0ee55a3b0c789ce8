public import Files
public import SystemPackage

/// A defect of a file of weights, or of the files of one checkpoint together.
public struct WeightFileError: FlareError {
  public enum Code: Sendable, Hashable {
    /// The file system refused; `cause` says how.
    case inaccessible
    /// The header is cut short, too long, or not in the form that the format asks for.
    case malformedHeader
    /// A value of the metadata is missing, of another type, or one that it cannot have.
    case malformedMetadata
    /// An entry of the header lacks a field, or has one of another type or an unknown one.
    case malformedEntry
    /// An element type that this version does not know.
    case unknownElementType
    /// Shape, element type and number of bytes of one tensor contradict each other.
    case sizeMismatch
    /// A legal form of the format that this version does not read.
    case unsupported
    /// Tensors that overlap, leave a hole, or do not end where the file ends.
    case layout
    /// No weights in a form that can be read.
    case noWeights
    /// The index of a sharded checkpoint is malformed or names files it must not name.
    case malformedIndex
    /// The index and the shards disagree.
    case indexMismatch
    /// A zip archive that is damaged, or compressed, encrypted or written in parts.
    case malformedArchive
    /// Not a state dict as `torch.save` writes it.
    case malformedPickle
    /// A pickle that wants something done which reading weights never needs.
    case forbidden
    /// A quantized weight whose parts are missing, contradict each other, or are of another scheme.
    case quantization
  }

  public let code: Code
  /// The file with the defect.
  public let path: FilePath
  /// What is wrong with it, as the end of a sentence that begins with the path.
  public let detail: String
  /// The failure underneath, when `code` is `inaccessible`.
  public let cause: FileError?

  init(_ code: Code, _ path: FilePath, _ detail: String) {
    self.code = code
    self.path = path
    self.detail = detail
    cause = nil
  }

  init(_ cause: FileError) {
    code = .inaccessible
    path = cause.path
    detail = cause.description
    self.cause = cause
  }

  public var kind: FailureKind { cause?.kind ?? .badInput }

  public var description: String { cause?.description ?? "\(path): \(detail)" }
}
