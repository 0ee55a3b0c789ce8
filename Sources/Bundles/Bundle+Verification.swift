public import Files
public import SystemPackage

extension Bundle {
  /// What the whole of a bundle was found to be.
  public struct Verification: Sendable, Equatable {
    public let manifest: BundleManifest
    /// The keys that signed it; who holds them is for the caller to know.
    public let signers: [VerifyingKey]
  }

  /// Checks every byte of the bundle at `path`, a directory or a single file, its signatures, and
  /// that there is nothing in it that the manifest does not list.
  ///
  /// - Parameters:
  ///   - keys: of which one has to have signed the bundle, if there are any.
  ///   - workerCount: the threads that decompress a single file.
  ///   - progress: told of the bytes read.
  /// - Throws: `BundleError` with the first file that differs and where, `WeightFileError` or
  ///   `FileError`.
  @discardableResult
  public static func verify(
    _ path: FilePath, requiring keys: [VerifyingKey] = [], workerCount: Int = 1,
    progress: ByteProgress? = nil
  ) throws -> Verification {
    if path.isRegularFile {
      let head = try BundleArchive(path, workerCount: workerCount).verify(
        requiring: keys, progress: progress)
      return Verification(
        manifest: head.manifest, signers: try head.signed.checkSignatures().signers)
    }
    let head = try SignedManifest(inDirectory: path)
    let signatures = try head.checkSignatures(requiring: keys)
    let manifest = try head.manifest()
    for file in manifest.files { try file.checkSize(in: path, of: path) }
    let tree = try MappedTree(manifest, in: path)
    for file in manifest.files {
      try file.verify(in: path, by: tree, progress: progress)
    }
    try manifest.checkNothingElse(in: path)
    // Last, since what is damaged is better said by its place than by what it became.
    _ = try Bundle(path)
    return Verification(manifest: manifest, signers: signatures.signers)
  }

  /// Checks every byte of this bundle where it was opened from; see the static function.
  public func verify(progress: ByteProgress? = nil) throws {
    try Self.verify(path, progress: progress)
  }
}

extension BundleManifest {
  /// Checks that every file in `directory` is listed.
  func checkNothingElse(in directory: FilePath) throws {
    let listed = Set(files.map(\.path) + Self.ownNames)
    if let extra = try directory.filesBelow().first(where: { !listed.contains($0) }) {
      throw BundleError(
        .unlistedFile, directory, "holds '\(extra)', which the manifest does not list")
    }
  }
}

extension BundleManifest.File {
  /// Whether the file is one of safetensors, in which damage is told by the tensor.
  var holdsTensors: Bool { path.hasSuffix(".safetensors") }

  /// Checks that the file is in `directory` and has the right size.
  func checkSize(in directory: FilePath, of bundle: FilePath) throws(BundleError) {
    let file = directory.pushing(FilePath(path))
    guard file.isRegularFile, let actual = file.fileByteCount else {
      throw BundleError(.missingFile, bundle, "lacks '\(path)', which the manifest lists")
    }
    try check(byteCount: actual, at: file)
  }

  /// Checks the size of what is at `place`.
  func check(byteCount actual: Int, at place: FilePath) throws(BundleError) {
    guard actual == byteCount else {
      throw BundleError(
        .changedFile, place, "is \(actual) bytes long, expected \(byteCount) from the manifest")
    }
  }

  /// Checks that what was read at `place` is this file.
  ///
  /// - Parameter damage: where it differs, asked for when it is not.
  func check(
    _ actual: BundleManifest.File, at place: FilePath, damage: () -> Damage? = { nil }
  ) throws(BundleError) {
    try check(byteCount: actual.byteCount, at: place)
    guard actual.sha256 == sha256 else {
      let damage = damage()
      throw BundleError(
        .changedFile, place,
        "was changed or damaged\(damage.map { " \($0.text)" } ?? ""), its SHA-256 is "
          + "\(actual.sha256), the manifest gives \(sha256)", damage: damage)
    }
  }

  /// Checks that what was read at `place` is this file, and that the tree has its pieces.
  func check(
    _ actual: FileRecord, by tree: MappedTree?, at place: FilePath
  ) throws(BundleError) {
    guard let tree, path != tree.tree.path else { return try check(actual.file, at: place) }
    let expected = tree.digests(of: path)
    try check(actual.file, at: place) {
      let places = holdsTensors ? (try? MappedFile(place).tensorPlaces) : nil
      return Damage(
        of: self, tree.tree, found: actual.pieces, expected: expected, places: places)
    }
    guard actual.pieces == expected else {
      throw BundleError(wrongTree: place.removingLast(path).pushing(FilePath(tree.tree.path)))
    }
  }

  /// Reads the file in `directory` and checks every byte of it.
  func verify(
    in directory: FilePath, by tree: MappedTree?, progress: ByteProgress? = nil
  ) throws {
    let place = directory.pushing(FilePath(path))
    let file = try MappedFile(place)
    var hash = tree.runningHash(of: self)
    try file.forEachChunk { bytes in
      hash.update(bytes)
      progress?(bytes.byteCount)
    }
    try check(hash.record(at: path), by: tree, at: place)
  }
}

extension MappedTree? {
  /// The hash of a file and, if there is a tree, of its pieces.
  func runningHash(of file: BundleManifest.File) -> RunningHash {
    RunningHash(
      pieceByteCount: self.flatMap { $0.tree.path == file.path ? nil : $0.tree.pieceByteCount })
  }
}

extension BundleError {
  /// A tree that has the SHA-256 which the manifest gives, but not those of the files.
  init(wrongTree place: FilePath) {
    self.init(
      .wrongTree, place,
      "does not have the hashes of the other files, though these are what the manifest lists. "
        + "Write the bundle anew")
  }
}

extension FilePath {
  /// The folder in which this is the file `name`, a path that may have folders of its own.
  fileprivate func removingLast(_ name: String) -> FilePath {
    var path = self
    for _ in FilePath(name).components { path.removeLastComponent() }
    return path
  }

  /// The paths of all files in this directory and the folders in it, relative to it.
  ///
  /// A symbolic link counts as a file wherever it leads, so links cannot make the walk endless.
  package func filesBelow() throws(FileError) -> [String] {
    var paths: [String] = []
    for name in try directoryEntries() {
      let entry = appending(name)
      if (try? entry.stat(followTargetSymlink: false))?.type == .directory {
        paths += try entry.filesBelow().map { "\(name)/\($0)" }
      } else {
        paths.append(name)
      }
    }
    return paths
  }
}
