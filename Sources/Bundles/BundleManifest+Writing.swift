package import JSON
import Tensors

extension BundleManifest {
  /// The text of `manifest.json`.
  public var text: String {
    var document: JSONObject = [
      "format": .string(Self.formatName),
      "version": .string(version.description),
      "kind": .string(kind.rawValue),
      "architecture": .string(architecture),
      "created_by": .string(createdBy),
    ]
    if let quantization {
      document["quantization"] = [
        "scheme": .string(quantization.scheme),
        "type": .string(quantization.elementType.rawValue),
      ]
    }
    if let base { document["base"] = base.json }
    if !adapters.isEmpty { document["adapters"] = .array(adapters.map(\.json)) }
    if let delta {
      document["delta"] = [
        "fingerprint": .string(delta.fingerprint),
        "removed_tensors": .array(delta.removedTensors.map { .string($0) }),
      ]
    }
    if recipe != .null { document["recipe"] = recipe }
    if let license { document["license"] = .string(license) }
    document["packed_tensors"] = .object(
      JSONObject(
        packedTensors.map { info in
          let shape = info.shape.extents.map { JSONValue.integer($0) }
          return (info.name, ["type": .string(info.elementType.rawValue), "shape": .array(shape)])
        }))
    if let tree {
      document["tree"] = [
        "path": .string(tree.path), "piece_bytes": .integer(tree.pieceByteCount),
      ]
    }
    document["files"] = .array(files.map(\.json))
    return JSONValue.object(document).serialized(isIndented: true) + "\n"
  }
}

extension BundleManifest.Base {
  package var json: JSONValue {
    var document: JSONObject = ["name": .string(name)]
    if let fingerprint { document["fingerprint"] = .string(fingerprint) }
    if !files.isEmpty { document["files"] = .array(files.map(\.json)) }
    return .object(document)
  }
}

extension BundleManifest.File {
  package var json: JSONValue {
    ["path": .string(path), "bytes": .integer(byteCount), "sha256": .string(sha256)]
  }
}

extension BundleManifest.Adapter {
  package var json: JSONValue {
    var document: JSONObject = [
      "name": .string(name), "kind": .string(kind),
    ]
    if let path { document["path"] = .string(path) }
    document["merged_modules"] = .array(mergedModules.map { .string($0) })
    return .object(document)
  }
}
