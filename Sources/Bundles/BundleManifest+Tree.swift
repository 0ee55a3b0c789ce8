package import Tensors

extension BundleManifest {
  /// The file with the SHA-256 of every piece of every other file, by which a part of a bundle can
  /// be checked without the rest, and damage be located.
  public struct Tree: Sendable, Hashable {
    /// What a writer calls the file.
    public static let fileName = "tree.sha256"
    /// Small enough that a damaged piece names a few tensors at most, large enough that the digests
    /// are an eight-thousandth of the bundle.
    public static let standardPieceByteCount = 256 << 10
    /// Pieces are read into memory; smaller ones would make the tree a sizeable part of a bundle.
    static let pieceByteCounts = 1 << 10...16 << 20
    static let digestByteCount = 32

    /// Where the file is in the bundle: the last that the manifest lists.
    public let path: String
    /// The bytes of a piece; the last piece of a file has what is left.
    public let pieceByteCount: Int

    /// How many pieces a file of `byteCount` bytes has.
    func pieceCount(of byteCount: Int) -> Int {
      byteCount / pieceByteCount + (byteCount % pieceByteCount == 0 ? 0 : 1)
    }

    /// The bytes of piece `index` of a file of `byteCount` bytes.
    func bytes(ofPiece index: Int, of byteCount: Int) -> Range<Int> {
      index * pieceByteCount..<min((index + 1) * pieceByteCount, byteCount)
    }

    /// The size of the file when these are the others; nil when it is beyond any.
    func byteCount(for files: some Sequence<File>) -> Int? {
      var count = 0
      for file in files {
        let (sum, overflow) = count.addingReportingOverflow(pieceCount(of: file.byteCount))
        guard !overflow else { return nil }
        count = sum
      }
      let (bytes, overflow) = count.multipliedReportingOverflow(by: Self.digestByteCount)
      return overflow ? nil : bytes
    }
  }

  /// The tree that writers make.
  package static let standardTree = Tree(
    path: Tree.fileName, pieceByteCount: Tree.standardPieceByteCount)

  /// The contents of the tree's file.
  ///
  /// - Parameter records: of all other files.
  package static func treeContents(of records: [FileRecord]) -> [UInt8] {
    records.sorted { precedes($0.file.path, $1.file.path) }.flatMap(\.pieces)
  }

  /// Whether the file at one path comes before that at another: by the bytes of their paths, the
  /// tree last, because its contents are known when all others are written.
  package static func precedes(_ path: String, _ other: String) -> Bool {
    if path == Tree.fileName || other == Tree.fileName { return path != Tree.fileName }
    return path.utf8.lexicographicallyPrecedes(other.utf8)
  }

  /// Adds what is known once the files are written.
  ///
  /// - Parameters:
  ///   - files: all but the manifest and the tree.
  ///   - tree: the file of the tree.
  package mutating func complete(with files: [File], tree: File, _ packedTensors: [TensorInfo]) {
    self.files = files.sorted { Self.precedes($0.path, $1.path) } + [tree]
    self.packedTensors = packedTensors.sorted { $0.name < $1.name }
    self.tree = Self.standardTree
  }

  /// Adds what is known before a file is written: everything but hashes, which are zeros.
  ///
  /// - Parameter files: all but the manifest and the tree.
  package mutating func plan(_ files: [File], _ packedTensors: [TensorInfo]) {
    complete(
      with: files,
      tree: File(
        unhashed: Tree.fileName, byteCount: Self.standardTree.byteCount(for: files) ?? .max),
      packedTensors)
  }
}

extension BundleManifest.File {
  /// A file whose hash is not known; zeros stand for it, which take as many bytes.
  package init(unhashed path: String, byteCount: Int) {
    self.init(
      path: path, byteCount: byteCount, sha256: String(repeating: "0", count: 64))
  }
}
