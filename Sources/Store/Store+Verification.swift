import Bundles
public import Files
public import SystemPackage

extension Store {
  /// Reads every file of the bundle under a name and compares it with its digest.
  ///
  /// - Parameter progress: told of the bytes read.
  /// - Returns: what was checked.
  /// - Throws: `StoreError` with the first file that differs, `BundleError` or `FileError`.
  @discardableResult
  public func verify(_ name: StoreName, progress: ByteProgress? = nil) throws -> StoreRecord {
    let record = try record(name)
    let directory = try directory(of: name)
    for file in record.files { try file.verify(in: directory, progress: progress) }
    try record.checkAgreement(in: directory, from: record.name)
    return record
  }

  /// Compares the files that the manifest of a bundle does not list, itself first, with their digests,
  /// and its list with what the store has noted; of what is no bundle, every file.
  ///
  /// - Returns: the directory of the bundle, whose other files are still to be compared with the
  ///   manifest.
  /// - Throws: `StoreError` with the first file that differs, `BundleError` or `FileError`.
  public func verifyManifest(_ name: StoreName) throws -> FilePath {
    let record = try record(name)
    let directory = try directory(of: name)
    guard record.files.contains(where: { $0.path == BundleManifest.fileName }) else {
      try verify(name)
      return directory
    }
    for file in record.files where BundleFiles.ownNames.contains(file.path) {
      try file.verify(in: directory, progress: nil)
    }
    try record.checkAgreement(in: directory, from: record.name)
    return directory
  }
}
