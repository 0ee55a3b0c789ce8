import Crypto
import Files
public import JSON
public import Tensors

/// Which model something is, whatever files hold it: a fingerprint of its logical tensors.
///
/// The tensors are those of a Hugging Face checkpoint: rows of q and k in halves, norms as they are
/// there, a tied head left out. Values count, not their encoding: a number that BF16 can hold has its
/// BF16 bits, a tensor with others is hashed in float32. So a directory, its shards in any cut, a BF16
/// or F32 GGUF file and an unquantized bundle of one model have one fingerprint.
/// `formats/identity.md` has the bytes.
public struct ModelIdentity: Sendable, Hashable {
  /// What is known of a tensor.
  public struct Tensor: Sendable, Hashable {
    public let shape: Shape
    /// 64 hexadecimal digits.
    public let sha256: String
  }

  /// `model_type` of the configuration.
  public let architecture: String
  /// By name.
  public let tensors: [String: Tensor]
  /// SHA-256 over architecture and tensors, 64 hexadecimal digits.
  public let fingerprint: String

  init(architecture: String, tensors: [String: Tensor]) {
    self.architecture = architecture
    self.tensors = tensors
    var hash = SHA256()
    hash.update(data: Array("flare-identity 1\n\(architecture)\n".utf8))
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let line =
        "\(tensor.sha256) \(tensor.shape.extents.map(String.init).joined(separator: "x")) \(name)\n"
      hash.update(data: Array(line.utf8))
    }
    fingerprint = hexadecimal(hash.finalize())
  }
}

extension ModelIdentity {
  static let formatName = "flare-identity"

  public var json: JSONValue {
    [
      "format": .string(Self.formatName), "version": 1, "architecture": .string(architecture),
      "fingerprint": .string(fingerprint),
      "tensors": .object(
        JSONObject(
          tensors.sorted { $0.key < $1.key }.map { name, tensor in
            let shape = tensor.shape.extents.map { JSONValue.integer($0) }
            return (name, ["shape": .array(shape), "sha256": .string(tensor.sha256)])
          })),
    ]
  }

  /// - Throws: `ModelError` when the document is no identity, or its fingerprint is not that of its
  ///   tensors.
  public init(_ json: JSONValue, subject: String) throws(ModelError) {
    guard json["format"] == .string(Self.formatName), json["version"] == 1,
      let architecture = json["architecture"]?.string, let members = json["tensors"]?.object
    else { throw ModelError(.identity, "\(subject): is no identity of a model") }
    var tensors: [String: Tensor] = [:]
    for (name, value) in members {
      guard let extents = value["shape"]?.array?.compactMap(\.integer),
        extents.count == value["shape"]?.array?.count, extents.allSatisfy({ $0 >= 0 }),
        let sha256 = value["sha256"]?.string
      else { throw ModelError(.identity, "\(subject): '\(name)' has no shape or no 'sha256'") }
      tensors[name] = Tensor(shape: Shape(extents), sha256: sha256)
    }
    self.init(architecture: architecture, tensors: tensors)
    guard json["fingerprint"] == .string(fingerprint) else {
      throw ModelError(
        .identity,
        "\(subject): its fingerprint is \(json["fingerprint"]?.shortDescription ?? "missing"), but its "
          + "tensors give \(fingerprint)")
    }
  }
}
