import Files
public import JSON
public import SystemPackage

/// `flare.json` in a merged checkpoint: which adapters it contains, and what the merge did.
///
/// Specified in `formats/residue.md`.
public struct MergeRecord: Sendable {
  public static let fileName = "flare.json"
  private static let formatName = "flare-merge"

  /// In the order in which they apply.
  public let adapters: [AppliedAdapter]
  /// What the last merge did, module by module.
  public let ledger: JSONValue

  public init(_ adapters: [AppliedAdapter], ledger: [MergePlan.Entry]) {
    self.adapters = adapters
    self.ledger = .array(ledger.map(\.json))
  }

  /// Reads the record of the checkpoint in `directory`; nil when it is not the result of a merge.
  ///
  /// - Throws: a `FlareError` when `flare.json` is malformed or names a path outside the
  ///   checkpoint.
  public init?(of directory: FilePath) throws {
    let path = directory.appending(Self.fileName)
    guard path.exists else { return nil }
    do {
      let fields = try JSONFields(try JSONValue(contentsOf: path), subject: Self.fileName)
      guard try fields.required("format") == Self.formatName, try fields.required("version") == 1
      else {
        throw JSONFieldError(
          "\(Self.fileName): expected 'format' \"\(Self.formatName)\" of 'version' 1")
      }
      guard let adapters = fields["adapters"]?.array else {
        throw JSONFieldError("\(Self.fileName): 'adapters' is missing, expected a list")
      }
      self.adapters = try adapters.map {
        try AppliedAdapter(JSONFields($0, subject: Self.fileName))
      }
      ledger = fields["ledger"] ?? []
    } catch let error as JSONFieldError {
      throw AdapterError(.configuration, directory, error.description)
    }
  }

  public var json: JSONValue {
    [
      "format": .string(Self.formatName), "version": 1,
      "adapters": .array(adapters.map(\.json)), "ledger": ledger,
    ]
  }
}

extension AppliedAdapter {
  fileprivate init(_ fields: JSONFields) throws(JSONFieldError) {
    path = try fields.optional("path")
    if let path {
      let relative = FilePath(path)
      guard relative.isRelative, !relative.isEmpty,
        relative.components.allSatisfy({ $0.kind == .regular })
      else { throw JSONFieldError("\(fields.subject): 'path' \"\(path)\" leaves the checkpoint") }
    }
    name = try fields.required("name")
    kind = try fields.required("kind")
    mergedModules = try fields.required("merged_modules")
  }

  fileprivate var json: JSONValue {
    [
      "name": .string(name), "kind": .string(kind), "path": path.map { .string($0) } ?? nil,
      "merged_modules": .array(mergedModules.map { .string($0) }),
    ]
  }
}

extension MergePlan.Entry {
  public var json: JSONValue {
    [
      "adapter": .string(adapter), "module": .string(module),
      "disposition": .string(disposition.rawValue), "reason": .string(reason),
    ]
  }
}
