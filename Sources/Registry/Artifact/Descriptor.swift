import JSON

/// What a manifest says about one blob; the content descriptor of the OCI image specification 1.1.
public struct Descriptor: Sendable, Hashable {
  public var mediaType: String
  public var digest: ContentDigest
  public var byteCount: Int
  public var annotations: [String: String]

  public init(
    mediaType: String, digest: ContentDigest, byteCount: Int, annotations: [String: String] = [:]
  ) {
    self.mediaType = mediaType
    self.digest = digest
    self.byteCount = byteCount
    self.annotations = annotations
  }
}

extension Descriptor {
  /// Reads a descriptor; members that only other kinds of artifact use are ignored.
  ///
  /// - Throws: `JSONFieldError` when a member is missing or wrong.
  init(_ fields: JSONFields) throws(JSONFieldError) {
    mediaType = try fields.required("mediaType")
    let digest = try fields.required("digest", as: String.self)
    do {
      self.digest = try ContentDigest(digest)
    } catch {
      throw JSONFieldError("\(fields.subject): \(error)")
    }
    byteCount = try fields.required("size")
    guard byteCount >= 0 else {
      throw JSONFieldError("\(fields.subject): 'size' is \(byteCount), expected 0 or more")
    }
    annotations = try fields.annotations()
  }

  /// The descriptor as a manifest writes it; the same one always gives the same bytes.
  var json: JSONValue {
    var members: JSONObject = [
      "mediaType": .string(mediaType), "digest": .string(digest.description),
      "size": .integer(byteCount),
    ]
    members["annotations"] = annotations.json
    return .object(members)
  }
}

extension JSONFields {
  /// The strings under `annotations`; none when it is absent.
  func annotations() throws(JSONFieldError) -> [String: String] {
    guard let fields = try fields("annotations") else { return [:] }
    var annotations: [String: String] = [:]
    for key in fields.members.keys {
      annotations[key] = try fields.required(key, as: String.self)
    }
    return annotations
  }
}

extension [String: String] {
  /// The annotations in the order of their keys; nil when there are none, as the specification
  /// wants the member absent then.
  var json: JSONValue? {
    guard !isEmpty else { return nil }
    return .object(JSONObject(sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
  }
}
