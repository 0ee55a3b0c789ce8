import Archives
import Files

/// What an archive begins with: the manifest, its signatures if it has any, and the header of the
/// first file behind them.
struct ArchiveHead {
  let signed: SignedManifest
  let manifest: BundleManifest
  /// Nil when the archive ends there.
  let next: TarHeader?
}

extension BundleArchive {
  /// Reads the first entries, checks their signatures, and only then believes the manifest.
  ///
  /// - Parameter keys: of which one has to have signed, if there are any.
  /// - Throws: `ArchiveDefect` or `BundleError`.
  func readHead(
    from reader: inout TarReader, requiring keys: [VerifyingKey]
  ) throws -> ArchiveHead {
    let text = try readManifest(from: &reader)
    var next = try reader.nextEntry()
    var signatureText: [UInt8]?
    if let entry = next, entry.name == BundleSignatures.fileName {
      signatureText = try readSignatures(entry, from: &reader)
      next = try reader.nextEntry()
    }
    let signed = SignedManifest(text: text, signatureText: signatureText, path: path)
    try signed.checkSignatures(requiring: keys)
    return ArchiveHead(signed: signed, manifest: try signed.manifest(), next: next)
  }

  /// Reads the bytes of the first entry, which has to be the manifest.
  func readManifest(from reader: inout TarReader) throws -> [UInt8] {
    guard let entry = try reader.nextEntry(), entry.name == BundleManifest.fileName else {
      throw BundleError(
        .malformedArchive, path, "does not begin with '\(BundleManifest.fileName)'")
    }
    guard entry.byteCount <= BundleManifest.maximumByteCount else {
      throw BundleError(
        .malformedManifest, path,
        "its manifest is \(entry.byteCount) bytes long, the limit is "
          + "\(BundleManifest.maximumByteCount)")
    }
    return try contents(of: entry, from: &reader)
  }

  /// Reads the bytes of the entry of the signatures.
  func readSignatures(_ entry: TarHeader, from reader: inout TarReader) throws -> [UInt8] {
    guard entry.byteCount <= BundleSignatures.maximumByteCount else {
      throw BundleError(
        .malformedSignature, path,
        "its '\(entry.name)' is \(entry.byteCount) bytes long, the limit is "
          + "\(BundleSignatures.maximumByteCount)")
    }
    return try contents(of: entry, from: &reader)
  }

  private func contents(of entry: TarHeader, from reader: inout TarReader) throws -> [UInt8] {
    var contents: [UInt8] = []
    contents.reserveCapacity(entry.byteCount)
    try reader.readContents(of: entry) { contents.append($0) }
    return contents
  }
}
