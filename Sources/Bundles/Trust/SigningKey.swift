import Crypto
import CryptoExtras
import Files
public import SystemPackage

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// An Ed25519 key that signs bundles.
public struct SigningKey: Sendable {
  private let key: Curve25519.Signing.PrivateKey

  /// Makes a new key from the system's random numbers.
  public init() { key = Curve25519.Signing.PrivateKey() }

  /// Reads a private key in PEM (PKCS #8), as `write(to:)` and openssl write it.
  ///
  /// - Throws: `BundleError` when it holds something else, `FileError` when it cannot be read.
  public init(contentsOf path: FilePath) throws {
    let text = try keyText(path)
    guard let key = try? Curve25519.Signing.PrivateKey(pemRepresentation: text) else {
      throw BundleError(
        .malformedKey, path,
        text.contains("PUBLIC KEY")
          ? "holds a public key, expected a private one. Give the .key file"
          : "is no private Ed25519 key in PEM. 'flare keygen' makes one")
    }
    self.key = key
  }

  /// The half that others check signatures with.
  public var verifyingKey: VerifyingKey {
    guard let key = VerifyingKey(Array(key.publicKey.rawRepresentation)) else {
      preconditionFailure("Public key of another size")
    }
    return key
  }

  /// Writes the key to a new file that only its owner can read.
  ///
  /// - Throws: `FileError` when there is a file already, or it cannot be written.
  public func write(to path: FilePath) throws {
    let file = try NewFile(path, isPrivate: true)
    try file.write(key.pemRepresentation + "\n")
    try file.commit()
  }

  func signature(over message: [UInt8]) throws -> [UInt8] {
    Array(try key.signature(for: message))
  }
}

/// The text of a file that should hold a key.
func keyText(_ path: FilePath) throws -> String {
  let maximumByteCount = 1 << 16
  let file = try MappedFile(path)
  guard file.byteCount <= maximumByteCount else {
    throw BundleError(
      .malformedKey, path, "is \(file.byteCount) bytes long, too long for a key")
  }
  var bytes: [UInt8] = []
  bytes.append(file.bytes)
  return String(decoding: bytes, as: UTF8.self)
}
