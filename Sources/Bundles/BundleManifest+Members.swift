import Files
package import JSON
import Tensors

extension BundleManifest.Tree {
  init(_ fields: JSONFields) throws(JSONFieldError) {
    path = try fields.required("path")
    pieceByteCount = try fields.required("piece_bytes")
    guard Self.pieceByteCounts.contains(pieceByteCount) else {
      throw JSONFieldError(
        "\(fields.subject): 'piece_bytes' is \(pieceByteCount), expected "
          + "\(Self.pieceByteCounts.lowerBound) to \(Self.pieceByteCounts.upperBound)")
    }
  }
}

extension BundleManifest.File {
  package init(_ fields: JSONFields) throws(JSONFieldError) {
    self.init(
      path: try fields.required("path"), byteCount: try fields.required("bytes"),
      sha256: try fields.required("sha256"))
    guard byteCount >= 0 else {
      throw JSONFieldError("\(fields.subject): 'bytes' is \(byteCount), expected 0 or more")
    }
    try Self.checkDigest(sha256, "sha256", fields)
  }

  fileprivate static func checkDigest(
    _ digest: String, _ key: String, _ fields: JSONFields
  ) throws(JSONFieldError) {
    guard digest.utf8.count == 64,
      digest.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else {
      throw JSONFieldError(
        "\(fields.subject): '\(key)' is '\(digest)', expected 64 hexadecimal digits")
    }
  }
}

extension BundleManifest.Quantization {
  init(_ fields: JSONFields) throws(JSONFieldError) {
    self.init(
      scheme: try fields.required("scheme"), elementType: try fields.elementType("type"))
  }
}

extension BundleManifest.Delta {
  init(_ fields: JSONFields) throws(JSONFieldError) {
    self.init(
      fingerprint: try fields.required("fingerprint"),
      removedTensors: try fields.optional("removed_tensors") ?? [])
    try BundleManifest.File.checkDigest(fingerprint, "fingerprint", fields)
  }
}

extension BundleManifest.Base {
  package init(_ fields: JSONFields) throws(JSONFieldError) {
    self.init(
      name: try fields.required("name"), fingerprint: try fields.optional("fingerprint"),
      files: try fields.list("files", of: BundleManifest.File.init))
    if let fingerprint {
      try BundleManifest.File.checkDigest(fingerprint, "fingerprint", fields)
    }
  }
}

extension BundleManifest.Adapter {
  /// Reads the list under `adapters`; none when it is absent.
  package static func list(in fields: JSONFields) throws(JSONFieldError) -> [Self] {
    try fields.list("adapters", of: Self.init)
  }

  private init(_ fields: JSONFields) throws(JSONFieldError) {
    self.init(
      name: try fields.required("name"), kind: try fields.required("kind"),
      path: try fields.optional("path"), mergedModules: try fields.optional("merged_modules") ?? [])
    if let path, !PlainPath.isPlain(path) {
      throw JSONFieldError("\(fields.subject): path '\(path)' leads out of the model")
    }
  }
}

extension JSONFields {
  /// The element type that `key` names.
  func elementType(_ key: String) throws(JSONFieldError) -> ElementType {
    let spelling = try required(key, as: String.self)
    guard let type = ElementType(rawValue: spelling) else {
      throw JSONFieldError(
        "\(subject): '\(key)' is '\(spelling)', a type that this version does not know")
    }
    return type
  }
}
