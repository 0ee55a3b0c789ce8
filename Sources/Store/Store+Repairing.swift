import Bundles

extension StoreName {
  /// What brings back what a store has lost under the name, as a sentence.
  var repair: String {
    reference == nil
      ? "'flare add BUNDLE \(self) --overwrite --check' puts it there again"
      : "'flare pull \(self) --check' fetches it again"
  }
}

extension Store {
  /// Does `work` with the bundle under a name; of damage that it finds, the error says what repairs it.
  ///
  /// - Throws: what `work` throws, damage as a `StoreError`.
  public func explainingRepair<Result>(
    of name: StoreName, _ work: () throws -> Result
  ) throws -> Result {
    do {
      return try work()
    } catch let error as BundleError where Self.damages.contains(error.code) {
      throw StoreError(.damaged, "\(error.path)", error.detail, repair: name.repair)
    } catch let error as StoreError where error.code == .damaged && error.repair == nil {
      throw StoreError(.damaged, error.subject, error.detail, repair: name.repair)
    }
  }

  /// What can become of a bundle in a store; that it is malformed or another's is no damage.
  private static let damages: Set<BundleError.Code> = [.changedFile, .missingFile, .unlistedFile]

  /// Makes the directories of links anew that lead to other files than the blobs, after blobs were
  /// replaced.
  ///
  /// A record that cannot be read, or lacks a blob, is passed over: whoever repairs it makes its
  /// directory.
  func renewDirectories() throws {
    for (path, name) in try recordFiles() {
      guard let record = try? StoreRecord(contentsOf: path, of: name),
        record.files.allSatisfy({ has($0.digest, byteCount: $0.byteCount) })
      else { continue }
      try makeDirectory(of: record)
    }
  }
}
