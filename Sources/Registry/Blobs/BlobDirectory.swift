public import Files
public import SystemPackage

/// A folder of blobs, each in a file that its digest names: where a pull puts what it fetches.
///
/// A blob that was fetched in part stays, so that the next pull goes on where the last one ended.
/// What is in the folder is hashed before it is used, so nothing in it has to be trusted.
public struct BlobDirectory: Sendable {
  public let path: FilePath

  /// Uses the folder at `path`, which is made when it is not there; its parent has to be.
  ///
  /// - Throws: `FileError` when it cannot be made, or is no folder.
  public init(_ path: FilePath) throws(FileError) {
    self.path = path
    if !path.exists { try NewDirectory(path).commit() }
    guard path.isDirectory else { throw FileError(.notADirectory, path) }
  }

  /// Where the blob is or will be.
  public func path(of digest: ContentDigest) -> FilePath {
    path.appending("sha256-\(digest.hexadecimal)")
  }

  /// Removes the folder with all it holds.
  public func remove() { removeTree(path) }
}
