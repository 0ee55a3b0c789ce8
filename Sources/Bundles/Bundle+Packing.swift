public import Files
public import SystemPackage

extension Bundle {
  /// Packs the bundle directory at `directory` into the single file `destination`.
  ///
  /// The bundle is opened first, and every byte is checked against the manifest on its way, so a
  /// damaged bundle is never shipped. Its signatures go with it.
  /// The same bundle always gives the same bytes, whatever `workerCount` is.
  ///
  /// - Parameters:
  ///   - mayReplace: whether a file that is already there may be replaced.
  ///   - workerCount: the threads that compress.
  ///   - progress: told of the bytes of the bundle as they are read.
  /// - Returns: what became of each file.
  /// - Throws: `BundleError` or `WeightFileError` when the bundle is not what its manifest says, or
  ///   `FileError`.
  @discardableResult
  public static func pack(
    _ directory: FilePath, to destination: FilePath, mayReplace: Bool = false,
    workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws -> PackingReport {
    guard !directory.isRegularFile else { throw FileError(.notADirectory, directory) }
    _ = try Bundle(directory)
    let head = try SignedManifest(inDirectory: directory)
    try head.checkSignatures()
    let manifest = try head.manifest()
    try manifest.checkNothingElse(in: directory)
    let tree = try MappedTree(manifest, in: directory)
    let output = try NewFile(destination, mayReplace: mayReplace)
    let layout = try manifest.archiveLayout(
      textByteCount: head.text.count, signatureByteCount: head.signatureText?.count,
      at: directory)
    let writer = try ArchiveWriter(layout, to: output, workerCount: workerCount)
    if let signatures = head.signatureText { try writer.write(unsafe signatures.span.bytes) }
    progress?(head.text.count + (head.signatureText?.count ?? 0))
    for file in manifest.files {
      let path = directory.pushing(FilePath(file.path))
      let source = try MappedFile(path)
      try file.check(byteCount: source.byteCount, at: path)
      var hash = tree.runningHash(of: file)
      try source.forEachChunk { (bytes) throws(FileError) in
        hash.update(bytes)
        try writer.write(bytes)
        progress?(bytes.byteCount)
      }
      try file.check(hash.record(at: file.path), by: tree, at: path)
    }
    let report = try writer.finish(manifest: unsafe head.text.span.bytes)
    try output.commit()
    return report
  }

  /// Unpacks the single file `archive` into the directory `destination`, which appears whole or
  /// not at all; every byte is checked against the manifest.
  ///
  /// - Parameters:
  ///   - keys: of which one has to have signed the bundle, if there are any.
  ///   - mayReplace: whether a directory that is already there may be replaced.
  ///   - workerCount: the threads that decompress.
  ///   - progress: told of the bytes of the archive as they are read.
  /// - Throws: `BundleError` when the archive is damaged or hostile, or none of the keys has signed;
  ///   `FileError`.
  public static func unpack(
    _ archive: FilePath, to destination: FilePath, requiring keys: [VerifyingKey] = [],
    mayReplace: Bool = false, workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws {
    let directory = try NewDirectory(destination, mayReplace: mayReplace)
    try BundleArchive(archive, workerCount: workerCount).extract(
      requiring: keys, at: destination, isDurable: true, progress: progress, to: directory.newFile)
    try directory.commit()
  }
}

extension BundleManifest {
  /// Where the files are in the single-file form.
  ///
  /// - Parameters:
  ///   - textByteCount: the size of the manifest itself.
  ///   - signatureByteCount: that of its signatures, which come behind it; nil when it has none.
  ///   - path: what an error is about.
  /// - Throws: `BundleError` when they are too large for one file.
  package func archiveLayout(
    textByteCount: Int, signatureByteCount: Int? = nil, at path: FilePath
  ) throws(BundleError) -> ArchiveLayout {
    var own = [(Self.fileName, textByteCount)]
    if let signatureByteCount { own.append((BundleSignatures.fileName, signatureByteCount)) }
    let files = own + files.map { ($0.path, $0.byteCount) }
    guard let layout = ArchiveLayout(files) else {
      throw BundleError(.tooLarge, path, "is over 4 TiB, too large for a single file")
    }
    return layout
  }
}
