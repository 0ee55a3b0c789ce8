import Adapters
public import Bundles
import Files
public import JSON
public import SystemPackage

/// `flare.json` in a merged checkpoint: which adapters it contains, and what the merge did.
///
/// Specified in `formats/residue.md`.
public struct MergeRecord: Sendable {
  public static let fileName = "flare.json"
  private static let formatName = "flare-merge"

  /// In the order in which they apply, as a bundle's manifest lists them.
  public let adapters: [BundleManifest.Adapter]
  /// What the last merge did, module by module.
  public let ledger: JSONValue
  /// The merged weights, to which residues belong; nil when there are none, or a program wrote the record
  /// that did not look.
  public let weights: ModelIdentity?

  public init(
    _ adapters: [BundleManifest.Adapter], ledger: JSONValue, weights: ModelIdentity? = nil
  ) {
    self.adapters = adapters
    self.ledger = ledger
    self.weights = weights
  }

  /// Reads the record of the checkpoint in `directory`; nil when it is not the result of a merge.
  ///
  /// - Throws: a `FlareError` when `flare.json` is malformed or names a path outside the
  ///   checkpoint.
  public init?(of directory: FilePath) throws {
    let path = directory.appending(Self.fileName)
    guard path.exists else { return nil }
    do {
      let fields = try JSONFields(try JSONValue(contentsOf: path), subject: "\(path)")
      guard try fields.required("format") == Self.formatName, try fields.required("version") == 1
      else {
        throw JSONFieldError(
          "\(path): expected 'format' \"\(Self.formatName)\" of 'version' 1")
      }
      adapters = try BundleManifest.Adapter.list(in: fields)
      ledger = fields["ledger"] ?? []
      weights = try fields["weights"].flatMap {
        $0 == .null ? nil : try ModelIdentity($0, subject: "\(path): 'weights'")
      }
    } catch let error as JSONFieldError {
      throw ModelError(.configuration, error.description)
    }
  }

  public var json: JSONValue {
    var document: JSONObject = [
      "format": .string(Self.formatName), "version": 1,
      "adapters": .array(adapters.map(\.json)), "ledger": ledger,
    ]
    if let weights { document["weights"] = weights.json }
    return .object(document)
  }
}
