import Files
import SystemPackage

/// The single-file form of a bundle: its files, the manifest first, as a tar archive in zstd.
///
/// Nothing in such a file is believed until the manifest says so. The manifest is small and comes
/// first; after it an entry must be a regular file that the manifest lists, once, with the size it
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
  /// - Throws: `BundleError` or `FileError`.
  @discardableResult
  func verify(progress: ByteProgress?) throws -> BundleManifest {
    try read(progress: progress) { _ in nil }
  }

  /// Writes the files of the bundle to the files that `makeFile` starts for their paths, and checks
  /// them.
  ///
  /// - Parameter isDurable: false for working files, which need not outlast a loss of power.
  /// - Throws: `BundleError` or `FileError`; what was already written stays.
  @discardableResult
  func extract(
    isDurable: Bool, progress: ByteProgress?,
    to makeFile: (FilePath) throws(FileError) -> NewFile
  ) throws -> BundleManifest {
    try read(progress: progress, isDurable: isDurable) { try makeFile(FilePath($0)) }
  }

  /// Reads every entry, checks it against the manifest and gives it to the file that `destination`
  /// makes for its path, if any.
  private func read(
    progress: ByteProgress?, isDurable: Bool = false,
    into destination: (String) throws -> NewFile?
  ) throws -> BundleManifest {
    do {
      var reader = TarReader(try source(progress))
      let (manifest, text) = try readManifest(from: &reader)
      if let file = try destination(BundleManifest.fileName) {
        try file.write(unsafe text.span.bytes)
        try file.commit(isDurable: isDurable)
      }
      var unread = Dictionary(uniqueKeysWithValues: manifest.files.map { ($0.path, $0) })
      while let entry = try reader.nextEntry() {
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
        let file = try destination(entry.name)
        var hash = RunningHash()
        try reader.readContents(of: entry) { bytes in
          hash.update(bytes)
          try file?.write(bytes)
        }
        try expected.check(hash.file(at: entry.name), at: place)
        try file?.commit(isDurable: isDurable)
      }
      if let missing = unread.keys.min() {
        throw BundleError(.missingFile, path, "lacks '\(missing)', which the manifest lists")
      }
      return manifest
    } catch let defect as ArchiveDefect {
      throw BundleError(.malformedArchive, path, defect.problem)
    }
  }

  /// The tar stream, through the seek table or, for archives without one, in a single pass.
  private func source(_ progress: ByteProgress?) throws -> any ArchiveByteSource {
    let file = try MappedFile(path)
    guard let contents = try FramedContents(file) else {
      return ZstdDecompressor(file, progress: progress)
    }
    return contents.source(workerCount: workerCount, progress: progress)
  }

  /// Reads the first entry, which has to be the manifest, and gives it with its own bytes.
  func readManifest(
    from reader: inout TarReader
  ) throws -> (BundleManifest, text: [UInt8]) {
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
    var text: [UInt8] = []
    text.reserveCapacity(entry.byteCount)
    try reader.readContents(of: entry) { bytes in
      let bytes = Span<UInt8>(_bytes: bytes)
      for index in bytes.indices { text.append(bytes[index]) }
    }
    let manifest = try BundleManifest(
      parsing: text.span, path: path.appending(BundleManifest.fileName))
    return (manifest, text)
  }
}
