import Files
import SystemPackage

/// A manifest as it was read, with its signatures: what the chain of trust begins with.
struct SignedManifest {
  /// The bytes that are signed.
  let text: [UInt8]
  /// The bytes of `signature.json`, if there is one.
  let signatureText: [UInt8]?
  /// The bundle, or the manifest when there is nothing else.
  let path: FilePath
  /// Where the text is from, for messages; the signatures are beside it.
  private let manifestPath: FilePath

  /// Reads the files of the bundle in `directory`.
  ///
  /// - Throws: `FileError`, or `BundleError` when there is no manifest or one is too long.
  init(inDirectory directory: FilePath) throws {
    try BundleManifest.checkPresence(inDirectory: directory)
    try self.init(manifest: directory.appending(BundleManifest.fileName), of: directory)
  }

  /// Reads a manifest and the signatures beside it.
  ///
  /// - Parameter path: what the manifest is of, for messages.
  /// - Throws: `FileError`, or `BundleError` when one is too long.
  init(manifest: FilePath, of path: FilePath) throws {
    func contents(_ path: FilePath, maximum: Int, _ code: BundleError.Code) throws -> [UInt8] {
      let file = try MappedFile(path)
      guard file.byteCount <= maximum else {
        throw BundleError(
          code, path, "is \(file.byteCount) bytes long, the limit is \(maximum)")
      }
      var bytes: [UInt8] = []
      bytes.append(file.bytes)
      return bytes
    }
    let signatures = manifest.removingLastComponent().appending(BundleSignatures.fileName)
    text = try contents(
      manifest, maximum: BundleManifest.maximumByteCount, .malformedManifest)
    signatureText =
      signatures.exists
      ? try contents(
        signatures, maximum: BundleSignatures.maximumByteCount, .malformedSignature) : nil
    self.path = path
    manifestPath = manifest
  }

  /// What was read from the single file at `path`.
  init(text: [UInt8], signatureText: [UInt8]?, path: FilePath) {
    self.text = text
    self.signatureText = signatureText
    self.path = path
    manifestPath = path.appending(BundleManifest.fileName)
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
    let place = manifestPath.removingLastComponent().appending(BundleSignatures.fileName)
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
    try BundleManifest(parsing: text.span, path: manifestPath)
  }
}
