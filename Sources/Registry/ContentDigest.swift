import Crypto
public import Files
public import SystemPackage

/// The SHA-256 of some bytes, which is their name in a registry.
public struct ContentDigest: Sendable, Hashable, CustomStringConvertible {
  /// 64 hexadecimal digits in lower case.
  public let hexadecimal: String

  /// Parses `sha256:` and 64 digits; no other algorithm is known.
  ///
  /// - Throws: `RegistryError` when the text is anything else.
  public init(_ text: String) throws(RegistryError) {
    guard let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : nil else {
      throw RegistryError(
        .malformedDigest, "digest '\(text.inMessage)'", "does not begin with 'sha256:'")
    }
    guard digits.utf8.count == 64,
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else {
      throw RegistryError(
        .malformedDigest, "digest '\(text.inMessage)'",
        "expected 64 hexadecimal digits in lower case after 'sha256:'")
    }
    hexadecimal = String(digits)
  }

  fileprivate init(_ hash: SHA256Digest) {
    let digits = Array("0123456789abcdef".utf8)
    hexadecimal = String(
      decoding: hash.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The digest of `bytes`.
  public init(of bytes: [UInt8]) {
    self.init(SHA256.hash(data: bytes))
  }

  /// The digest of the file at `path`, which is read whole.
  ///
  /// - Throws: `FileError` when it cannot be read.
  public init(of path: FilePath, progress: ByteProgress? = nil) throws(FileError) {
    var hash = RunningDigest()
    try MappedFile(path).forEachPiece { bytes in
      hash.update(bytes)
      progress?(bytes.byteCount)
    }
    self = hash.digest
  }

  public var description: String { "sha256:\(hexadecimal)" }
}

/// The digest of bytes that pass by.
struct RunningDigest {
  private var hash = SHA256()

  mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
  }

  /// The digest of the bytes so far.
  var digest: ContentDigest { ContentDigest(hash.finalize()) }
}
