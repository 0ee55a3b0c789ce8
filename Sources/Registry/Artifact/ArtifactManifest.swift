import JSON

/// The manifest of a ModelPack artifact: its configuration and one layer for each file.
///
/// It is an image manifest of the OCI image specification 1.1 with the artifact type of the
/// ModelPack specification v0.0.7.
public struct ArtifactManifest: Sendable, Hashable {
  public var configuration: Descriptor
  public var layers: [Descriptor]
  public var annotations: [String: String]

  public init(
    configuration: Descriptor, layers: [Descriptor], annotations: [String: String] = [:]
  ) {
    self.configuration = configuration
    self.layers = layers
    self.annotations = annotations
  }
}

extension ArtifactManifest {
  /// Registries take manifests of 4 MiB, and no honest one is longer.
  static let maximumByteCount = 4 << 20

  /// The text of the manifest; the same manifest always gives the same bytes.
  var text: String {
    var members: JSONObject = [
      "schemaVersion": 2,
      "mediaType": .string(OCI.manifestMediaType),
      "artifactType": .string(ModelPack.artifactType),
      "config": configuration.json,
      "layers": .array(layers.map(\.json)),
    ]
    members["annotations"] = annotations.json
    return JSONValue.object(members).serialized()
  }

  /// Parses and checks the text of a manifest.
  ///
  /// - Parameter place: where the manifest is from, for messages.
  /// - Throws: `RegistryError` when it is not the manifest of a ModelPack artifact.
  init(parsing text: [UInt8], from place: String) throws(RegistryError) {
    do {
      try self.init(JSONFields(JSONValue(parsing: text.span), subject: "manifest"), place: place)
    } catch let error as RegistryError {
      throw error
    } catch {
      throw RegistryError(.malformedManifest, place, "\(error)".inMessage)
    }
  }

  private init(_ fields: JSONFields, place: String) throws {
    // What kind of manifest it is comes first: the rest of another kind says nothing here.
    let mediaType = try fields.optional("mediaType", as: String.self)
    if mediaType == OCI.indexMediaType || fields["manifests"] != nil {
      throw RegistryError(
        .notAModelPack, place,
        "is an index of several artifacts. Name one of them by its digest")
    }
    let artifactType = try fields.optional("artifactType", as: String.self)
    guard artifactType.map(ModelPack.current) == ModelPack.artifactType else {
      let configuration = try fields.fields("config")?.optional("mediaType", as: String.self)
      let found = artifactType ?? configuration ?? mediaType ?? "unnamed"
      throw RegistryError(
        .notAModelPack, place,
        "is of the type '\(found.inMessage)', expected the ModelPack artifact "
          + "'\(ModelPack.artifactType)'")
    }
    let schemaVersion = try fields.required("schemaVersion", as: Int.self)
    guard schemaVersion == 2, mediaType == nil || mediaType == OCI.manifestMediaType else {
      throw RegistryError(
        .malformedManifest, place,
        "has the schema version \(schemaVersion) and the media type "
          + "'\((mediaType ?? "").inMessage)', expected 2 and '\(OCI.manifestMediaType)'")
    }
    guard let config = try fields.fields("config") else {
      throw JSONFieldError("manifest: 'config' is missing, expected an object")
    }
    configuration = try Descriptor(config)
    guard ModelPack.current(configuration.mediaType) == ModelPack.configurationMediaType else {
      throw RegistryError(
        .notAModelPack, place,
        "has a configuration of the type '\(configuration.mediaType.inMessage)', expected "
          + "'\(ModelPack.configurationMediaType)'")
    }
    guard let list = fields["layers"]?.array, !list.isEmpty else {
      throw JSONFieldError("manifest: 'layers' is missing or empty, expected a list of objects")
    }
    layers = try list.enumerated().map { position, layer in
      try Descriptor(JSONFields(layer, subject: "manifest: layer \(position + 1)"))
    }
    annotations = try fields.annotations()
  }
}
