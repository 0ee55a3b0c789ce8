import Files
import JSON
import SystemPackage

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Who vouches for a bundle: the contents of `signature.json`.
///
/// Each signature is over the bytes of the manifest, which has the SHA-256 of every other file; so
/// whoever trusts a key needs nothing else to know that a bundle is whole. `formats/bundle.md`
/// describes the fields.
public struct BundleSignatures: Sendable, Hashable {
  public static let fileName = "signature.json"
  static let formatName = "flare-signature"
  static let version = 1
  /// Hundreds of signatures; more is an attack on memory.
  static let maximumByteCount = 1 << 16
  /// What comes before the manifest in what is signed, so that a signature of a bundle is no
  /// signature of anything else.
  private static let prefix = Array("flare-bundle-signature 1\n".utf8)
  private static let algorithm = "ed25519"
  private static let signatureByteCount = 64

  private struct Signature: Hashable {
    let key: VerifyingKey
    let bytes: [UInt8]
  }

  private var signatures: [Signature] = []
  /// Signatures of algorithms that this version does not know, as they are.
  private var others: [JSONValue] = []

  /// No signature.
  init() {}

  /// The keys that signed, in the order in which they did.
  public var signers: [VerifyingKey] { signatures.map(\.key) }

  /// Parses and checks the text of `signature.json`, but not the signatures in it.
  ///
  /// - Parameter path: where the text is from, for messages.
  init(parsing text: Span<UInt8>, path: FilePath) throws(BundleError) {
    guard text.count <= Self.maximumByteCount else {
      throw BundleError(
        .malformedSignature, path,
        "is \(text.count) bytes long, the limit is \(Self.maximumByteCount)")
    }
    do {
      let fields = try JSONFields(JSONValue(parsing: text), subject: "signatures")
      let format = try fields.required("format", as: String.self)
      guard format == Self.formatName else {
        throw JSONFieldError("'format' is '\(format)', expected '\(Self.formatName)'")
      }
      let version = try fields.required("version", as: Int.self)
      guard version == Self.version else {
        throw JSONFieldError("'version' is \(version), this program reads \(Self.version)")
      }
      for value in try fields.list("signatures", of: { $0 }) {
        guard try value.required("algorithm", as: String.self) == Self.algorithm else {
          others.append(.object(value.members))
          continue
        }
        guard let key = VerifyingKey(try value.base64("public_key", byteCount: 32)) else {
          continue
        }
        guard !signers.contains(key) else {
          throw JSONFieldError("\(value.subject): \(key) has signed before")
        }
        signatures.append(
          Signature(
            key: key,
            bytes: try value.base64("signature", byteCount: Self.signatureByteCount)))
      }
    } catch {
      throw BundleError(.malformedSignature, path, "\(error)")
    }
  }

  /// Adds the signature of `key` over a manifest; one that it made before stays as it is.
  ///
  /// - Precondition: all signatures are of this manifest.
  mutating func add(_ key: SigningKey, over manifest: [UInt8]) throws {
    let signer = key.verifyingKey
    guard !signers.contains(signer) else { return }
    signatures.append(
      Signature(key: signer, bytes: try key.signature(over: Self.prefix + manifest)))
  }

  /// Checks every signature.
  ///
  /// - Parameters:
  ///   - manifest: the bytes of the manifest.
  ///   - path: where the signatures are from, for messages.
  /// - Throws: `BundleError` when one is not of this manifest.
  func check(over manifest: [UInt8], at path: FilePath) throws(BundleError) {
    let message = Self.prefix + manifest
    guard let wrong = signatures.first(where: { !$0.key.isValid($0.bytes, over: message) }) else {
      return
    }
    throw BundleError(
      .wrongSignature, path,
      "the signature of \(wrong.key) is not one of this manifest. One of the two was changed "
        + "since")
  }

  /// The text of `signature.json`.
  var text: String {
    let document: JSONObject = [
      "format": .string(Self.formatName), "version": .integer(Self.version),
      "signatures": .array(
        signatures.map {
          [
            "algorithm": .string(Self.algorithm),
            "public_key": .string(Data($0.key.bytes).base64EncodedString()),
            "signature": .string(Data($0.bytes).base64EncodedString()),
          ]
        } + others),
    ]
    return JSONValue.object(document).serialized(isIndented: true) + "\n"
  }
}

extension JSONFields {
  fileprivate func base64(_ key: String, byteCount: Int) throws(JSONFieldError) -> [UInt8] {
    let text = try required(key, as: String.self)
    guard let data = Data(base64Encoded: text), data.count == byteCount else {
      throw JSONFieldError(
        "\(subject): '\(key)' is '\(text)', expected \(byteCount) bytes in base64")
    }
    return Array(data)
  }
}
