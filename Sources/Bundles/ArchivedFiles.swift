import Archives
public import Files
public import SystemPackage

/// The files of a bundle where they lie in its single file, to read one without unpacking the rest.
///
///     let files = try ArchivedFiles("model.flare")
///     try files.read("tokenizer.json", to: output)
public struct ArchivedFiles: Sendable {
  public let path: FilePath
  public let manifest: BundleManifest
  /// The manifest as it is there, with its signatures.
  let head: SignedManifest
  private let layout: ArchiveLayout
  let contents: FramedContents

  /// Reads the seek table and the manifest of the single file at `path`.
  ///
  /// - Parameter keys: of which one has to have signed the bundle, if there are any.
  /// - Throws: `BundleError` when there is no seek table, as in archives of other programs, when the
  ///   manifest or the table is damaged, or none of the keys has signed; `FileError` when the file
  ///   cannot be read.
  public init(_ path: FilePath, requiring keys: [VerifyingKey] = []) throws {
    do {
      guard let contents = try FramedContents(MappedFile(path)) else {
        throw ArchiveDefect(problem: "has no seek table to find files by. Unpack it")
      }
      var reader = TarReader(contents.source(workerCount: 1, progress: nil))
      let archive = BundleArchive(path)
      let text = try archive.readManifest(from: &reader)
      var head = SignedManifest(text: text, signatureText: nil, path: path)
      let manifest = try head.manifest()
      var layout = try manifest.archiveLayout(textByteCount: text.count, at: path)
      // Longer than all files: there are signatures. No look at a file tells, which may be damaged.
      if layout.byteCount < contents.byteCount, let entry = try reader.nextEntry(),
        entry.name == BundleSignatures.fileName
      {
        let signatures = try archive.readSignatures(entry, from: &reader)
        head = SignedManifest(text: text, signatureText: signatures, path: path)
        layout = try manifest.archiveLayout(
          textByteCount: text.count, signatureByteCount: signatures.count, at: path)
      }
      if !keys.isEmpty { try head.checkSignatures(requiring: keys) }
      guard layout.byteCount == contents.byteCount else {
        throw ArchiveDefect(problem: "is not laid out as its manifest says. Unpack it")
      }
      self.path = path
      self.manifest = manifest
      self.head = head
      self.layout = layout
      self.contents = contents
    } catch let defect as ArchiveDefect {
      throw BundleError(.malformedArchive, path, defect.problem)
    }
  }

  /// Writes the file `name` to `output`.
  ///
  /// - Parameters:
  ///   - workerCount: the threads that decompress.
  ///   - progress: told of the bytes written.
  /// - Throws: `BundleError` when there is no such file or its bytes are not those of the manifest,
  ///   by then all or part of it is written; `FileError` from `output`.
  public func read(
    _ name: String, to output: some ByteSink, workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws {
    let (file, entry) = try find(name)
    var hash = RunningHash()
    try read(entry.contents, workerCount: workerCount) { bytes in
      hash.update(bytes)
      try output.write(bytes)
      progress?(bytes.byteCount)
    }
    try file.check(hash.file(at: name), at: path.pushing(FilePath(name)))
  }

  /// The bytes `range` of the file `name`, checked by the checksums of their frames only.
  ///
  /// - Throws: `BundleError` when there is no such file or it is damaged.
  /// - Precondition: the range is inside the file.
  public func bytes(of name: String, in range: Range<Int>) throws -> [UInt8] {
    let (_, entry) = try find(name)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= entry.contents.count, "Range out of bounds")
    let start = entry.contents.lowerBound
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    try read(start + range.lowerBound..<start + range.upperBound) { result.append($0) }
    return result
  }

  /// The end of the manifest in the tar stream, and where the first file behind its signatures
  /// begins.
  var manifestEnd: Int { layout.entries[0].segment.upperBound }
  var filesStart: Int { (fileEntries.first?.segment ?? layout.end).lowerBound }

  /// Where the files of the manifest are, in its order.
  var fileEntries: [ArchiveLayout.Entry] {
    Array(layout.entries.suffix(manifest.files.count))
  }

  /// What the manifest says of the file, and where it is.
  private func find(_ name: String) throws -> (BundleManifest.File, ArchiveLayout.Entry) {
    guard let index = manifest.files.firstIndex(where: { $0.path.utf8.elementsEqual(name.utf8) })
    else {
      throw BundleError(.missingFile, path, "its manifest lists no '\(name)'")
    }
    let entry = fileEntries[index]
    var header: [UInt8] = []
    try read(entry.segment.lowerBound..<entry.contents.lowerBound) { header.append($0) }
    guard header == entry.header.blocks else {
      throw BundleError(
        .malformedArchive, path, "holds something else where '\(name)' should be. Unpack it")
    }
    return (manifest.files[index], entry)
  }

  private func read(
    _ range: Range<Int>, workerCount: Int = 1, _ body: (RawSpan) throws -> Void
  ) throws {
    do {
      try contents.read(range, workerCount: workerCount, body)
    } catch let defect as ArchiveDefect {
      throw BundleError(.malformedArchive, path, defect.problem)
    }
  }
}
