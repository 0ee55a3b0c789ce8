/// What a bundle says of one of its files, known when all bytes of it have passed.
package struct FileRecord: Sendable {
  /// For the manifest.
  package let file: BundleManifest.File
  /// The digests of the file's pieces, for the tree.
  package let pieces: [UInt8]
}

extension RunningHash {
  /// What a bundle says about a file with the bytes so far.
  package func record(at path: String) -> FileRecord {
    FileRecord(file: file(at: path), pieces: pieceDigests)
  }
}
