public import Files
public import SystemPackage

extension Bundle {
  /// Checks every byte of the bundle at `path`, a directory or a single file, and that there is
  /// nothing in it that the manifest does not list.
  ///
  /// - Parameters:
  ///   - workerCount: the threads that decompress a single file.
  ///   - progress: told of the bytes read.
  /// - Returns: the manifest.
  /// - Throws: `BundleError` with the first file that differs and how, `WeightFileError` or
  ///   `FileError`.
  @discardableResult
  public static func verify(
    _ path: FilePath, workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws -> BundleManifest {
    if path.isRegularFile {
      return try BundleArchive(path, workerCount: workerCount).verify(progress: progress)
    }
    let manifest = try Bundle(path).manifest
    for file in manifest.files {
      let source = path.pushing(FilePath(file.path))
      try file.check(File(hashing: source, as: file.path, progress: progress), at: source)
    }
    try manifest.checkNothingElse(in: path)
    return manifest
  }

  /// Checks every byte of this bundle where it was opened from; see the static function.
  public func verify(progress: ByteProgress? = nil) throws {
    try Self.verify(path, progress: progress)
  }

  private typealias File = BundleManifest.File
}

extension BundleManifest {
  /// Checks that every file in `directory` is listed.
  func checkNothingElse(in directory: FilePath) throws {
    let listed = Set(files.map(\.path) + [Self.fileName])
    if let extra = try directory.filesBelow().first(where: { !listed.contains($0) }) {
      throw BundleError(
        .unlistedFile, directory, "holds '\(extra)', which the manifest does not list")
    }
  }
}

extension BundleManifest.File {
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
  func check(_ actual: BundleManifest.File, at place: FilePath) throws(BundleError) {
    try check(byteCount: actual.byteCount, at: place)
    guard actual.sha256 == sha256 else {
      throw BundleError(
        .changedFile, place,
        "was changed or damaged, its SHA-256 is \(actual.sha256), the manifest gives \(sha256)")
    }
  }
}

extension FilePath {
  /// The paths of all files in this directory and the folders in it, relative to it.
  ///
  /// A symbolic link counts as a file wherever it leads, so links cannot make the walk endless.
  fileprivate func filesBelow() throws(FileError) -> [String] {
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
