import Archives
public import Files
public import SystemPackage

extension Bundle {
  /// Signs the bundle at `path`, a directory or a single file, of which every byte is checked first.
  ///
  /// Signatures of other keys stay. A key that has signed already changes nothing.
  ///
  /// - Parameters:
  ///   - workerCount: the threads that decompress a single file.
  ///   - progress: told of the bytes that are checked.
  /// - Returns: all keys that have signed.
  /// - Throws: `BundleError` when the bundle is damaged, or has a signature of another manifest;
  ///   `FileError`.
  @discardableResult
  public static func sign(
    _ path: FilePath, with key: SigningKey, workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws -> [VerifyingKey] {
    try verify(path, workerCount: workerCount, progress: progress)
    if path.isRegularFile { return try ArchivedFiles(path).sign(with: key) }
    let manifest = try SignedManifest(inDirectory: path)
    let signatures = try manifest.signatures(adding: key)
    let file = try NewFile(path.appending(BundleSignatures.fileName), mayReplace: true)
    try file.write(signatures.text)
    try file.commit()
    return signatures.signers
  }
}

extension Bundle {
  /// Checks that one of `keys` has signed the manifest of the bundle in `directory`; when there are no
  /// keys, nothing is asked for.
  ///
  /// - Parameter place: what messages call the bundle.
  /// - Throws: `BundleError` when none has, or a signature does not fit; `FileError`.
  package static func checkSignatures(
    inDirectory directory: FilePath, requiring keys: [VerifyingKey], from place: FilePath
  ) throws {
    guard !keys.isEmpty else { return }
    try BundleManifest.checkPresence(inDirectory: directory)
    try SignedManifest(manifest: directory.appending(BundleManifest.fileName), of: place)
      .checkSignatures(requiring: keys)
  }
}

extension SignedManifest {
  /// The signatures that there are, and that of `key`.
  fileprivate func signatures(adding key: SigningKey) throws -> BundleSignatures {
    var signatures = try checkSignatures()
    try signatures.add(key, over: text)
    return signatures
  }
}

extension ArchivedFiles {
  /// Writes the archive anew with a signature of `key`, copying all frames but those of the
  /// signatures, and puts it in the place of the old one.
  fileprivate func sign(with key: SigningKey) throws -> [VerifyingKey] {
    let signatures = try head.signatures(adding: key)
    let text = Array(signatures.text.utf8)
    let layout = try manifest.archiveLayout(
      textByteCount: head.text.count, signatureByteCount: text.count, at: path)
    let output = try NewFile(path, mayReplace: true)
    var written: [ArchiveFrame] = []
    func append(_ frame: RawSpan, holding count: Int) throws {
      let (place, contents) = (
        written.last?.place.upperBound ?? 0, written.last?.contents.upperBound ?? 0
      )
      try output.write(frame)
      written.append(
        ArchiveFrame(
          place: place..<place + frame.byteCount, contents: contents..<contents + count))
    }
    let oldFiles = filesStart
    for frame in contents.frames where frame.contents.upperBound <= manifestEnd {
      try contents.withBytes(of: frame) { try append($0, holding: frame.contents.count) }
    }
    let segment = layout.entries[1].segment
    var stream = layout.entries[1].header.blocks + text
    stream += Array(repeating: 0, count: segment.count - stream.count)
    for part in ArchiveLayout.frames(of: 0..<segment.count) {
      let frame = FrameEncoder.frame(of: unsafe stream.span.extracting(part).bytes)
      try append(unsafe frame.span.bytes, holding: part.count)
    }
    for frame in contents.frames where frame.contents.lowerBound >= oldFiles {
      try contents.withBytes(of: frame) { try append($0, holding: frame.contents.count) }
    }
    guard written.map(\.contents) == layout.frames else {
      throw BundleError(
        .malformedArchive, path,
        "has frames that hold parts of two files. Unpack it, sign the "
          + "directory and pack that")
    }
    try output.write(unsafe SeekTable.bytes(of: written).span.bytes)
    try output.commit()
    return signatures.signers
  }
}
