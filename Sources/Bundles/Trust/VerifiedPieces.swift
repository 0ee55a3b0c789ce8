import Files
import Synchronization
import SystemPackage
import Tensors
import WeightFiles

/// A mapped file of a bundle that is checked piece by piece: a range when it is asked for, or all.
///
///     try pieces.check(range)   // only the pieces that hold it, and none of them twice
///     try pieces.checkAll()
///
/// The chain is: manifest (which may be signed), SHA-256 of the tree, SHA-256 of each piece.
public final class VerifiedPieces: Sendable {
  /// What messages call the file.
  private let path: FilePath
  private let file: MappedFile
  private let listed: BundleManifest.File
  private let tree: BundleManifest.Tree
  private let digests: [UInt8]
  private let isChecked: Mutex<[Bool]>

  /// - Parameter file: what is checked; it has the size that the manifest gives.
  init(_ file: MappedFile, listed: BundleManifest.File, in mapped: MappedTree) {
    path = file.path
    self.file = file
    self.listed = listed
    tree = mapped.tree
    digests = mapped.digests(of: listed.path)
    isChecked = Mutex(
      Array(repeating: false, count: mapped.tree.pieceCount(of: listed.byteCount)))
  }

  /// How many pieces there are, and how many of them were found to be right.
  public var progress: (checked: Int, of: Int) {
    isChecked.withLock { pieces in (pieces.count { $0 }, pieces.count) }
  }

  /// Checks the pieces that hold bytes of `range`.
  ///
  /// - Throws: `BundleError` with the place of the first that is wrong, `FileError` when it cannot be
  ///   read.
  /// - Precondition: the range is inside the file.
  public func check(_ range: Range<Int>) throws {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= listed.byteCount, "Range out of bounds")
    guard let last = range.last else { return }
    for index in range.lowerBound / tree.pieceByteCount...last / tree.pieceByteCount {
      try check(piece: index)
    }
  }

  /// Checks all pieces that are not checked yet, from the first on.
  ///
  /// - Parameter goesOn: asked before each piece; the check ends early when it says no.
  /// - Throws: see `check(_:)`.
  public func checkAll(while goesOn: () -> Bool = { true }) throws {
    for index in 0..<tree.pieceCount(of: listed.byteCount) {
      guard goesOn() else { return }
      try check(piece: index)
    }
  }

  private func check(piece index: Int) throws {
    guard !isChecked.withLock({ $0[index] }) else { return }
    let place = tree.bytes(ofPiece: index, of: listed.byteCount)
    let bytes = try OwnedBytes(byteCount: place.count) { (bytes) throws(FileError) in
      try file.read(at: place.lowerBound, into: &bytes)
    }
    var hash = PieceHashes(pieceByteCount: tree.pieceByteCount)
    hash.update(bytes.bytes)
    let size = BundleManifest.Tree.digestByteCount
    guard hash.digests[...] == digests[index * size..<(index + 1) * size] else {
      throw BundleError(.changedFile, path, damage: damage(at: place))
    }
    isChecked.withLock { $0[index] = true }
  }

  /// What is in a piece that is wrong.
  private func damage(at place: Range<Int>) -> Damage {
    let places = listed.holdsTensors ? file.tensorPlaces : nil
    let damage = Damage(file: listed.path, bytes: place, places: places)
    return damage.isInHeader ? damage.withoutTensors : damage
  }
}

extension MappedFile {
  /// What lies where in a file of tensors.
  var tensorPlaces: TensorPlaces { TensorPlaces(bytes, byteCount: byteCount, path: path) }
}
