import Crypto
import CryptoExtras
public import SystemPackage

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The public half of an Ed25519 key: what signatures are checked with.
public struct VerifyingKey: Sendable, Hashable, CustomStringConvertible {
  static let byteCount = 32
  /// 32 bytes, as RFC 8032 has them.
  let bytes: [UInt8]

  /// - Returns: nil when there are not 32 bytes.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  /// Reads a public key in PEM (SubjectPublicKeyInfo), as 'flare keygen' and openssl write it.
  ///
  /// - Throws: `BundleError` when it holds something else, `FileError` when it cannot be read.
  public init(contentsOf path: FilePath) throws {
    let text = try keyText(path)
    guard !text.contains("PRIVATE KEY") else {
      throw BundleError(
        .malformedKey, path, "holds a private key, expected a public one. Give the .pub file")
    }
    guard let key = try? Curve25519.Signing.PublicKey(pemRepresentation: text) else {
      throw BundleError(
        .malformedKey, path,
        "is no public Ed25519 key in PEM. 'flare keygen' makes a pair, NAME.key and NAME.pub")
    }
    bytes = Array(key.rawRepresentation)
  }

  /// The text of a `.pub` file.
  public var pem: String {
    // 32 bytes of any value are accepted here; what they sign is another question.
    (try? Curve25519.Signing.PublicKey(rawRepresentation: bytes).pemRepresentation + "\n") ?? ""
  }

  /// `ed25519:` and the key in base64.
  public var description: String { "ed25519:" + Data(bytes).base64EncodedString() }

  /// Whether `signature` is one of this key over `message`.
  func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool {
    let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
    return key?.isValidSignature(signature, for: message) ?? false
  }
}
