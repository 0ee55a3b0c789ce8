import Files
public import JSON
public import SystemPackage

/// `flare.json` in a merged checkpoint: what was merged, and which adapters run beside the weights.
///
/// Specified in `formats/residue.md`.
public struct MergeRecord: Sendable {
  public static let fileName = "flare.json"
  private static let formatName = "flare-merge"

  /// What is left of adapters and where it goes, relative to the checkpoint, in order.
  public let residues: [(adapter: Adapter, path: String)]
  public let ledger: [MergePlan.Entry]

  public init(_ plan: MergePlan) {
    ledger = plan.ledger
    residues = plan.parts.compactMap(\.residue).enumerated().map { index, residue in
      (residue, Self.residuePath(index, residue))
    }
  }

  /// The folder of the residue of adapter number `index`, below the model.
  public static func residuePath(_ index: Int, _ residue: Adapter) -> String {
    "adapters/\(index)-\(residue.name)"
  }

  public var json: JSONValue {
    [
      "format": .string(Self.formatName), "version": 1,
      "adapters": .array(residues.map { .string($0.path) }),
      "ledger": .array(
        ledger.map { entry in
          [
            "adapter": .string(entry.adapter), "module": .string(entry.module),
            "disposition": .string(entry.disposition.rawValue), "reason": .string(entry.reason),
          ]
        }),
    ]
  }

  /// The residues that a checkpoint names; none when it is not the result of a merge.
  ///
  /// - Throws: a `FlareError` when `flare.json` is malformed or names a path outside the
  ///   checkpoint.
  public static func adapterPaths(in checkpoint: FilePath) throws -> [FilePath] {
    let path = checkpoint.appending(fileName)
    guard path.exists else { return [] }
    do {
      let fields = try JSONFields(try JSONValue(contentsOf: path), subject: fileName)
      guard try fields.required("format") == formatName, try fields.required("version") == 1 else {
        throw JSONFieldError("\(fileName): expected 'format' \"\(formatName)\" of 'version' 1")
      }
      return try fields.required("adapters", as: [String].self).map { name in
        let relative = FilePath(name)
        guard relative.isRelative, relative.isLexicallyNormal, !relative.isEmpty,
          relative.components.first?.kind == .regular
        else { throw JSONFieldError("\(fileName): adapter path '\(name)' leaves the checkpoint") }
        return checkpoint.appending(relative.components)
      }
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, checkpoint, error.description)
    }
  }
}
