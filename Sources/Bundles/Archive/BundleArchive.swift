import Archives
import Files
import SystemPackage

/// The single-file form of a bundle: its files, the manifest first, as a tar archive in zstd.
///
/// Nothing in such a file is believed until the manifest says so. The manifest is small and comes
/// first, before its signatures; after them an entry must be a regular file that the manifest lists, once, with the size it
/// gives there, so no entry can lead out of the destination or write more than was announced.
struct BundleArchive {
  let path: FilePath
  /// The threads that decompress, when there is a seek table to share the frames by.
  let workerCount: Int

  init(_ path: FilePath, workerCount: Int = 1) {
    self.path = path
    self.workerCount = workerCount
  }

  /// Whether the file at `path` begins as zstd files do.
  static func isArchive(_ path: FilePath) -> Bool {
    guard path.isRegularFile, let file = try? MappedFile(path), file.byteCount >= 4 else {
      return false
    }
    let magic = Span<UInt8>(_bytes: file.bytes.extracting(0..<4))
    return magic[0] == 0x28 && magic[1] == 0xB5 && magic[2] == 0x2F && magic[3] == 0xFD
  }

  /// Reads the whole archive and checks every byte of it, keeping nothing.
  ///
  /// - Parameter keys: of which one has to have signed, if there are any.
  /// - Throws: `BundleError` or `FileError`.
  func verify(
    requiring keys: [VerifyingKey], progress: ByteProgress?
  ) throws -> ArchiveHead {
    try read(requiring: keys, progress: progress) { _ in nil }
  }

  /// Writes the files of the bundle to the files that `makeFile` starts for their paths, and checks
  /// them.
  ///
  /// - Parameters:
  ///   - keys: of which one has to have signed, if there are any; checked before a file is started.
  ///   - place: where the files go; all that the manifest announces has to fit there.
  ///   - isDurable: false for working files, which need not outlast a loss of power.
  /// - Throws: `BundleError` or `FileError`; what was already written stays.
  @discardableResult
  func extract(
    requiring keys: [VerifyingKey], at place: FilePath, isDurable: Bool, progress: ByteProgress?,
    to makeFile: (FilePath) throws(FileError) -> NewFile
  ) throws -> BundleManifest {
    try read(requiring: keys, at: place, progress: progress, isDurable: isDurable) {
      try makeFile(FilePath($0))
    }.manifest
  }

  /// Reads every entry, checks it against the manifest and gives it to the file that `destination`
  /// makes for its path, if any.
  private func read(
    requiring keys: [VerifyingKey], at place: FilePath? = nil, progress: ByteProgress?,
    isDurable: Bool = false, into destination: (String) throws -> NewFile?
  ) throws -> ArchiveHead {
    do {
      var reader = TarReader(try source(progress))
      let head = try readHead(from: &reader, requiring: keys)
      // The sum was checked with the manifest. A few bytes can become terabytes of zeros.
      try place?.checkSpace(for: head.manifest.files.reduce(0) { $0 + $1.byteCount })
      for (name, text) in [
        (BundleManifest.fileName, head.signed.text),
        (BundleSignatures.fileName, head.signed.signatureText),
      ] {
        guard let text, let file = try destination(name) else { continue }
        try file.write(unsafe text.span.bytes)
        try file.commit(isDurable: isDurable)
      }
      try readFiles(head, from: &reader, isDurable: isDurable, into: destination)
      return head
    } catch let defect as ArchiveDefect {
      throw error(of: defect)
    }
  }

  /// Reads the entries behind the manifest and its signatures.
  private func readFiles(
    _ head: ArchiveHead, from reader: inout TarReader, isDurable: Bool,
    into destination: (String) throws -> NewFile?
  ) throws {
    let manifest = head.manifest
    var unread = Dictionary(uniqueKeysWithValues: manifest.files.map { ($0.path, $0) })
    var comparison = TreeComparison()
    var next = head.next
    while let entry = next {
      // Swift's strings are equal when they read alike; the bytes of a path must be the same.
      guard let expected = unread.removeValue(forKey: entry.name),
        expected.path.utf8.elementsEqual(entry.name.utf8)
      else {
        let isSecond = manifest.files.contains { $0.path == entry.name }
        let problem = isSecond ? " twice" : ", which the manifest does not list"
        throw BundleError(.unlistedFile, path, "holds '\(entry.name)'\(problem)")
      }
      let place = path.pushing(FilePath(entry.name))
      try expected.check(byteCount: entry.byteCount, at: place)
      let isTree = entry.name == manifest.tree?.path
      if isTree, let missing = comparison.begin(manifest) {
        throw BundleError(
          .malformedArchive, path, "holds '\(entry.name)' before '\(missing)', expected it last")
      }
      let file = try destination(entry.name)
      var hash = RunningHash(pieceByteCount: isTree ? nil : manifest.tree?.pieceByteCount)
      try reader.readContents(of: entry) { bytes in
        hash.update(bytes)
        if isTree { comparison.update(bytes) }
        try file?.write(bytes)
      }
      let record = hash.record(at: entry.name)
      try expected.check(record.file, at: place) { (try? ArchivedFiles(path))?.damage(of: record) }
      if isTree {
        guard comparison.agrees else { throw BundleError(wrongTree: place) }
      } else {
        comparison.add(record)
      }
      try file?.commit(isDurable: isDurable)
      next = try reader.nextEntry()
    }
    if let missing = unread.keys.min() {
      throw BundleError(.missingFile, path, "lacks '\(missing)', which the manifest lists")
    }
  }

  /// The error to throw for a defect, with what lies in the part that cannot be read.
  private func error(of defect: ArchiveDefect) -> BundleError {
    // A second look at a file that is damaged: what it says serves no more than the message.
    guard let contents = defect.contents, let files = try? ArchivedFiles(path),
      let damage = files.damage(at: contents)
    else { return BundleError(.malformedArchive, path, defect.problem) }
    return BundleError(
      .malformedArchive, path, "\(defect.problem): '\(damage.file)' \(damage.text)",
      damage: damage)
  }

  /// The tar stream, through the seek table or, for archives without one, in a single pass.
  private func source(_ progress: ByteProgress?) throws -> any ArchiveByteSource {
    let file = try MappedFile(path)
    guard let contents = try FramedContents(file) else {
      return ZstdDecompressor(file, progress: progress)
    }
    return contents.source(workerCount: workerCount, progress: progress)
  }
}
