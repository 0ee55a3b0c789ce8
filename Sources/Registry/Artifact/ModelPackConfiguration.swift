import JSON

/// What an artifact says about its model; the configuration of the ModelPack specification v0.0.7.
///
/// Every field may stay empty. Nothing here has a default that names a time or a place, so that the
/// same model gives the same artifact.
public struct ModelPackConfiguration: Sendable, Hashable {
  // `descriptor`: the model as a publication.

  /// A date and time as RFC 3339 writes it.
  public var createdAt: String?
  public var authors: [String] = []
  public var vendor: String?
  /// A line of models, such as `llama3`.
  public var family: String?
  public var name: String?
  public var version: String?
  public var title: String?
  public var description: String?
  public var documentationURL: String?
  public var sourceURL: String?
  public var datasetURLs: [String] = []
  /// Where in its source's history the model is from.
  public var revision: String?
  /// SPDX expressions.
  public var licenses: [String] = []

  // `config`: the model as a program.

  /// In general words, such as `transformer`.
  public var architecture: String?
  /// The format of the weights, such as `safetensors`.
  public var format: String?
  /// See `parameterSize(of:)`.
  public var parameterSize: String?
  /// The type of the values, such as `bf16`, or `mixed`.
  public var precision: String?
  public var quantization: String?

  public init() {}

  /// How the specification writes a number of parameters: `8b`, `1.2b`, `260k`.
  ///
  /// At most one digit stands behind the point, cut off and not rounded up, so that no model is
  /// called larger than it is. Nil below a thousand, which the specification cannot write.
  public static func parameterSize(of count: Int) -> String? {
    let units = [
      ("q", 1_000_000_000_000_000), ("t", 1_000_000_000_000), ("b", 1_000_000_000),
      ("m", 1_000_000), ("k", 1_000),
    ]
    guard let (prefix, unit) = units.first(where: { count >= $0.1 }) else { return nil }
    let (whole, tenth) = (count / unit, count % unit / (unit / 10))
    return tenth == 0 ? "\(whole)\(prefix)" : "\(whole).\(tenth)\(prefix)"
  }
}

extension ModelPackConfiguration {
  /// Where each field is written: the object, its key, and the place in this type.
  private static let strings:
    [(object: String, key: String, path: any WritableKeyPath<Self, String?> & Sendable)] = [
      ("descriptor", "createdAt", \.createdAt), ("descriptor", "vendor", \.vendor),
      ("descriptor", "family", \.family), ("descriptor", "name", \.name),
      ("descriptor", "version", \.version), ("descriptor", "title", \.title),
      ("descriptor", "description", \.description),
      ("descriptor", "docURL", \.documentationURL), ("descriptor", "sourceURL", \.sourceURL),
      ("descriptor", "revision", \.revision), ("config", "architecture", \.architecture),
      ("config", "format", \.format), ("config", "paramSize", \.parameterSize),
      ("config", "precision", \.precision), ("config", "quantization", \.quantization),
    ]
  private static let lists: [(key: String, path: any WritableKeyPath<Self, [String]> & Sendable)] =
    [
      ("authors", \.authors), ("datasetsURL", \.datasetURLs), ("licenses", \.licenses),
    ]

  /// The text of the configuration of an artifact with these layers.
  ///
  /// - Parameter contents: the digest of each layer's uncompressed contents, in their order.
  func text(contents: [ContentDigest]) -> String {
    var objects: [String: JSONObject] = ["descriptor": [:], "config": [:]]
    for field in Self.strings {
      if let value = self[keyPath: field.path] {
        objects[field.object]?[field.key] = .string(value)
      }
    }
    for field in Self.lists where !self[keyPath: field.path].isEmpty {
      objects["descriptor"]?[field.key] = .array(self[keyPath: field.path].map { .string($0) })
    }
    let value: JSONValue = [
      "descriptor": .object(objects["descriptor"] ?? [:]),
      "config": .object(objects["config"] ?? [:]),
      "modelfs": [
        "type": "layers", "diffIds": .array(contents.map { .string($0.description) }),
      ],
    ]
    return value.serialized()
  }

  /// Parses the text of a configuration; fields that this type does not have are ignored.
  ///
  /// - Parameter place: where it is from, for messages.
  /// - Throws: `RegistryError` when it is not the JSON that it should be.
  init(parsing text: [UInt8], from place: String) throws(RegistryError) {
    self.init()
    do {
      let fields = try JSONFields(
        JSONValue(parsing: text.span), subject: "configuration")
      for field in Self.strings {
        self[keyPath: field.path] = try fields.fields(field.object)?.optional(field.key)
      }
      for field in Self.lists {
        self[keyPath: field.path] = try fields.fields("descriptor")?.optional(field.key) ?? []
      }
    } catch {
      throw RegistryError(.malformedManifest, place, "\(error)".inMessage)
    }
  }
}
