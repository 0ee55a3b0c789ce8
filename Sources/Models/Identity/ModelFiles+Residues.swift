import SystemPackage

extension ModelFiles {
  /// How the weights differ from those that the residues beside them were made for, as a sentence; nil
  /// when they are those, there are no residues, or nothing says what they were made for.
  ///
  /// - Parameter identity: finds out which model the weights are, nil when they have no identity; called
  ///   only when there is something to compare.
  /// - Throws: what `identity` throws.
  public func residueMismatch(_ identity: () throws -> ModelIdentity?) throws -> String? {
    guard !adapterPaths.isEmpty, let expected = residueBase else { return nil }
    let adapters = "\(path.appending(MergeRecord.fileName)): its adapters"
    let merged = "the weights that a merge left (\(expected.fingerprint.prefix(12)))"
    guard let actual = try identity() else {
      return "\(adapters) run beside \(merged), and those in \(path) are quantized"
    }
    guard let difference = expected.difference(of: actual) else { return nil }
    return "\(adapters) run beside \(merged), and \(path) has others "
      + "(\(actual.fingerprint.prefix(12))): \(difference)"
  }
}
