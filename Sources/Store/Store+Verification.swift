public import Files

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
}
