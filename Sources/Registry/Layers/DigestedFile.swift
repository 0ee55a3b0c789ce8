import Files

/// A new file whose digest is known when its last byte is written.
final class DigestedFile: ByteSink {
  private let file: NewFile
  private var hash = RunningDigest()
  private(set) var byteCount = 0

  init(_ file: NewFile) { self.file = file }

  func write(_ bytes: RawSpan) throws(FileError) {
    hash.update(bytes)
    byteCount += bytes.byteCount
    try file.write(bytes)
  }

  /// The digest of all bytes so far.
  var digest: ContentDigest { hash.digest }

  /// Puts the file in its place; see `NewFile.commit`.
  func commit(isDurable: Bool = true) throws(FileError) { try file.commit(isDurable: isDurable) }
}
