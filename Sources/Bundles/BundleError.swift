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
    /// The tree does not have the hashes of the files, though the manifest has.
    case wrongTree
    /// The file of signatures is not in the form that the format asks for.
    case malformedSignature
    /// A signature is not one of this manifest.
    case wrongSignature
    /// A signature was asked for and there is none.
    case unsigned
    /// There are signatures, but none of the keys that were asked for.
    case wrongSigner
    /// A file is no key of the kind that was expected.
    case malformedKey
  }

  public let code: Code
  /// The file or directory with the defect.
  public let path: FilePath
  /// What is wrong with it, as the end of a sentence that begins with the path.
  public let detail: String
  /// Where in a file the bytes are wrong, when that is known.
  public let damage: Damage?

  init(_ code: Code, _ path: FilePath, _ detail: String, damage: Damage? = nil) {
    self.code = code
    self.path = path
    self.detail = detail
    self.damage = damage
  }

  /// Bytes of the file at `path` are not those that were written.
  init(_ code: Code, _ path: FilePath, damage: Damage) {
    self.init(code, path, "was changed or damaged \(damage.text)", damage: damage)
  }

  public var kind: FailureKind { .badInput }

  public var description: String { "\(path): \(detail)" }
}
