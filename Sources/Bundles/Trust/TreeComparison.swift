/// Compares the tree of a bundle with the digests of the pieces that were read before it.
///
/// Of the tree itself nothing is kept, so one that is long costs no memory.
struct TreeComparison {
  /// The digests that were computed, by path.
  private var found: [String: [UInt8]] = [:]
  /// All of them in the tree's order, once it begins.
  private var expected: [UInt8] = []
  private var position = 0
  private(set) var agrees = true

  mutating func add(_ record: FileRecord) { found[record.file.path] = record.pieces }

  /// Takes note that the tree begins.
  ///
  /// - Returns: a file that is listed before the tree and has not been read; nil when all were.
  mutating func begin(_ manifest: BundleManifest) -> String? {
    for file in manifest.files.dropLast() {
      guard let digests = found.removeValue(forKey: file.path) else { return file.path }
      expected += digests
    }
    return nil
  }

  /// Compares the next bytes of the tree.
  mutating func update(_ bytes: RawSpan) {
    let bytes = Span<UInt8>(_bytes: bytes)
    for index in bytes.indices {
      agrees = agrees && position < expected.count && bytes[index] == expected[position]
      position += 1
    }
  }
}
