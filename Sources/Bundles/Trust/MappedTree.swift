import Files
import SystemPackage

/// The tree of a bundle directory, of which every byte was checked against the manifest.
struct MappedTree: Sendable {
  let tree: BundleManifest.Tree
  private let manifest: BundleManifest
  private let file: MappedFile

  /// Maps and checks the tree of the bundle in `directory`; nil when it has none.
  ///
  /// - Throws: `BundleError` when it is not the file that the manifest lists, or `FileError`.
  init?(_ manifest: BundleManifest, in directory: FilePath) throws {
    guard let tree = manifest.tree, let listed = manifest.files.last else { return nil }
    let path = directory.pushing(FilePath(tree.path))
    let file = try MappedFile(path)
    var hash = RunningHash()
    try file.forEachChunk { hash.update($0) }
    try listed.check(hash.file(at: tree.path), at: path)
    self.tree = tree
    self.manifest = manifest
    self.file = file
  }

  /// The digests of the pieces of a file, one after the other.
  ///
  /// - Precondition: the manifest lists the file, and it is not the tree.
  func digests(of name: String) -> [UInt8] {
    let place = manifest.treePlace(of: name)
    var digests: [UInt8] = []
    digests.append(file.bytes.extracting(place))
    return digests
  }
}

extension BundleManifest {
  /// The bytes of the tree that hold the digests of a file's pieces.
  ///
  /// - Precondition: there is a tree, and the file is listed before it.
  func treePlace(of name: String) -> Range<Int> {
    guard let tree, let index = files.dropLast().firstIndex(where: { $0.path == name }) else {
      preconditionFailure("No file with pieces")
    }
    // The manifest was checked: the sum of all is the size of a file.
    let start = tree.byteCount(for: files.prefix(index)) ?? 0
    return start..<start + tree.pieceCount(of: files[index].byteCount) * Tree.digestByteCount
  }
}
