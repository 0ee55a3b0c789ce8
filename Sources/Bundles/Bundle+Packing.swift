public import Files
public import SystemPackage

extension Bundle {
  /// Packs the bundle directory at `directory` into the single file `destination`.
  ///
  /// The bundle is opened first, and every byte is checked against the manifest on its way, so a
  /// damaged bundle is never shipped.
  /// The same bundle always gives the same bytes, whatever `workerCount` is.
  ///
  /// - Parameters:
  ///   - mayReplace: whether a file that is already there may be replaced.
  ///   - workerCount: the threads that compress.
  ///   - progress: told of the bytes of the bundle as they are read.
  /// - Throws: `BundleError` or `WeightFileError` when the bundle is not what its manifest says, or
  ///   `FileError`.
  public static func pack(
    _ directory: FilePath, to destination: FilePath, mayReplace: Bool = false,
    workerCount: Int = 1, progress: ByteProgress? = nil
  ) throws {
    guard !directory.isRegularFile else { throw FileError(.notADirectory, directory) }
    let manifest = try Bundle(directory).manifest
    try manifest.checkNothingElse(in: directory)
    let output = try NewFile(destination, mayReplace: mayReplace)
    var writer = try TarWriter(
      [BundleManifest.fileName] + manifest.files.map(\.path), of: directory, to: output,
      workerCount: workerCount)
    _ = try writer.appendNext(progress: progress)
    for file in manifest.files {
      let written = try writer.appendNext(progress: progress)
      try file.check(written, at: directory.pushing(FilePath(file.path)))
    }
    try writer.finish()
    try output.commit()
  }

  /// Unpacks the single file `archive` into the directory `destination`, which appears whole or
  /// not at all; every byte is checked against the manifest.
  ///
  /// - Parameters:
  ///   - mayReplace: whether a directory that is already there may be replaced.
  ///   - progress: told of the bytes of the archive as they are read.
  /// - Throws: `BundleError` when the archive is damaged or hostile, or `FileError`.
  public static func unpack(
    _ archive: FilePath, to destination: FilePath, mayReplace: Bool = false,
    progress: ByteProgress? = nil
  ) throws {
    let directory = try NewDirectory(destination, mayReplace: mayReplace)
    try BundleArchive(archive).extract(
      isDurable: true, progress: progress, to: directory.newFile)
    try directory.commit()
  }
}
