public import Files
public import SystemPackage

/// A bundle that is not what it says it is, or cannot be made.
public struct BundleError: FlareError {
  public enum Code: Sendable, Hashable {
    /// The manifest is missing, not JSON, or a field of it is missing or wrong.
    case malformedManifest
    /// The bundle was written by a later version with another layout.
    case newerVersion
    /// The manifest lists a file that is not there.
    case missingFile
    /// There is a file that the manifest does not list.
    case unlistedFile
    /// A file has another size or other bytes than the manifest says.
    case changedFile
    /// The weights and the manifest's table of packed tensors contradict each other.
    case tensorMismatch
    /// The single-file form is cut short or is no archive that a bundle can be in.
    case malformedArchive
    /// The bundle is larger than the single-file form can be.
    case tooLarge
  }

  public let code: Code
  /// The file or directory with the defect.
  public let path: FilePath
  /// What is wrong with it, as the end of a sentence that begins with the path.
  public let detail: String

  init(_ code: Code, _ path: FilePath, _ detail: String) {
    self.code = code
    self.path = path
    self.detail = detail
  }

  public var kind: FailureKind { .badInput }

  public var description: String { "\(path): \(detail)" }
}
