import Files
public import SystemPackage

extension Store {
  /// Whether something is noted under a name.
  public func contains(_ name: StoreName) -> Bool { recordPath(name).exists }

  /// What a name stands for; nil when the store has nothing under it.
  ///
  /// - Throws: `StoreError` when the record cannot be read.
  func recordIfAny(_ name: StoreName) throws -> StoreRecord? {
    let place = recordPath(name)
    guard place.exists else { return nil }
    let record = try StoreRecord(contentsOf: place, of: name)
    // A file system that ignores case finds ':V1' under ':v1'.
    return record.name == name.description ? record : nil
  }

  /// What a name stands for.
  ///
  /// - Throws: `StoreError` when the store has nothing under it, or the record cannot be read.
  public func record(_ name: StoreName) throws -> StoreRecord {
    guard let record = try recordIfAny(name) else {
      throw StoreError(
        .notFound, "\(name)", "no such name in the store at '\(path)'. 'flare list' shows its names"
      )
    }
    return record
  }

  /// The name of the bundle in a directory of the store; nil for any other directory.
  ///
  /// Of several names for the same files, the first.
  public func name(ofBundleAt directory: FilePath) throws -> StoreName? {
    guard directory.removingLastComponent() == bundles else { return nil }
    let record = try records().first { self.directory(of: $0) == directory }
    return try record.map { try StoreName($0.name) }
  }

  /// The directory of the bundle under a name, to be opened like any other.
  ///
  /// - Throws: `StoreError` when the store has nothing under the name, or a file of it is gone.
  public func directory(of name: StoreName) throws -> FilePath {
    try checkedDirectory(of: record(name))
  }

  /// The same; nil when the store has nothing under the name.
  public func directoryIfAny(of name: StoreName) throws -> FilePath? {
    try recordIfAny(name).map { try checkedDirectory(of: $0) }
  }

  private func checkedDirectory(of record: StoreRecord) throws(StoreError) -> FilePath {
    let directory = directory(of: record)
    for file in record.files {
      guard directory.pushing(FilePath(file.path)).fileByteCount == file.byteCount else {
        throw StoreError(
          .damaged, record.name,
          "the store has lost or changed its file '\(file.path)'",
          repair: (try? StoreName(record.name))?.repair)
      }
    }
    return directory
  }

  /// Every record, by name.
  ///
  /// - Throws: `StoreError` when one cannot be read, or `FileError`.
  func records() throws -> [StoreRecord] {
    try recordFiles().map { try StoreRecord(contentsOf: $0.path, of: $0.name) }
      .sorted { $0.name < $1.name }
  }

  /// Where all records are, and the names that their places stand for.
  func recordFiles() throws(FileError) -> [(path: FilePath, name: StoreName?)] {
    guard names.exists else {
      guard !path.exists || path.isDirectory else { throw FileError(.notADirectory, path) }
      return []
    }
    return try names.records().map { path in
      var place = path
      return (path, place.removePrefix(names) ? StoreName(recordPath: place) : nil)
    }
  }

  /// Puts a record in its place; the store has the name from then on.
  func write(_ record: StoreRecord, as name: StoreName) throws {
    let place = recordPath(name)
    try place.removingLastComponent().makeFolder()
    let file = try NewFile(place, mayReplace: true)
    try file.write(record.text)
    try file.commit()
  }

  func recordPath(_ name: StoreName) -> FilePath { names.pushing(name.recordPath) }
}

extension FilePath {
  /// The records in this folder and below.
  ///
  /// What is half-written has a name that begins with a dot.
  fileprivate func records() throws(FileError) -> [FilePath] {
    var paths: [FilePath] = []
    for name in try directoryEntries() where !name.hasPrefix(".") {
      let entry = appending(name)
      if name.hasPrefix(":") || name.hasPrefix("@") {
        paths.append(entry)
      } else if entry.isDirectory {
        paths += try entry.records()
      }
    }
    return paths
  }
}
