import Files
import SystemPackage

/// A manifest as it was read, with its signatures: what the chain of trust begins with.
struct SignedManifest {
  /// The bytes that are signed.
  let text: [UInt8]
  /// The bytes of `signature.json`, if there is one.
  let signatureText: [UInt8]?
  /// The bundle.
  let path: FilePath

  /// Reads the files of the bundle in `directory`.
  ///
  /// - Throws: `FileError`, or `BundleError` when there is no manifest or one is too long.
  init(inDirectory directory: FilePath) throws {
    func contents(_ name: String, maximum: Int, _ code: BundleError.Code) throws -> [UInt8] {
      let file = try MappedFile(directory.appending(name))
      guard file.byteCount <= maximum else {
        throw BundleError(
          code, file.path, "is \(file.byteCount) bytes long, the limit is \(maximum)")
      }
      var bytes: [UInt8] = []
      bytes.append(file.bytes)
      return bytes
    }
    try BundleManifest.checkPresence(inDirectory: directory)
    text = try contents(
      BundleManifest.fileName, maximum: BundleManifest.maximumByteCount, .malformedManifest)
    let hasSignature = directory.appending(BundleSignatures.fileName).exists
    signatureText =
      hasSignature
      ? try contents(
        BundleSignatures.fileName, maximum: BundleSignatures.maximumByteCount,
        .malformedSignature) : nil
    path = directory
  }

  init(text: [UInt8], signatureText: [UInt8]?, path: FilePath) {
    self.text = text
    self.signatureText = signatureText
    self.path = path
  }

  /// Checks all signatures, and that one of them is of one of the `keys` if there are any.
  ///
  /// - Returns: the signatures; none when the bundle has none.
  /// - Throws: `BundleError`.
  @discardableResult
  func checkSignatures(requiring keys: [VerifyingKey] = []) throws(BundleError) -> BundleSignatures
  {
    let wanted = keys.map(\.description).joined(separator: " or ")
    guard let signatureText else {
      guard keys.isEmpty else {
        throw BundleError(.unsigned, path, "is not signed, expected a signature of \(wanted)")
      }
      return BundleSignatures()
    }
    let place = path.appending(BundleSignatures.fileName)
    let signatures = try BundleSignatures(parsing: signatureText.span, path: place)
    try signatures.check(over: text, at: place)
    guard keys.isEmpty || signatures.signers.contains(where: keys.contains) else {
      let signers = signatures.signers.map(\.description).joined(separator: ", ")
      throw BundleError(
        .wrongSigner, path,
        "is signed by \(signers.isEmpty ? "nobody" : signers), expected a signature of \(wanted)")
    }
    return signatures
  }

  /// What the manifest says.
  func manifest() throws(BundleError) -> BundleManifest {
    try BundleManifest(parsing: text.span, path: path.appending(BundleManifest.fileName))
  }
}
