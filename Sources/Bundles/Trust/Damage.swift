import WeightFiles

/// Where in a file of a bundle the bytes are not those that were written.
public struct Damage: Sendable, Hashable {
  /// A part of a tensor.
  public struct TensorPart: Sendable, Hashable {
    public let name: String
    /// Bytes of the tensor, not of the file.
    public let bytes: Range<Int>
  }

  /// The path of the file in the bundle.
  public let file: String
  /// Bytes of the file: the first part that is wrong, as small as it can be told.
  public let bytes: Range<Int>
  /// How many parts are wrong, where all were looked at.
  public let partCount: Int
  /// Whether the part holds any of the header of a file of tensors.
  public let isInHeader: Bool
  /// What tensors lie in the part; none when the header that says so is wrong itself.
  public let tensors: [TensorPart]

  /// - Parameter places: what lies where in the file, if it is one of tensors.
  init(file: String, bytes: Range<Int>, partCount: Int = 1, places: TensorPlaces?) {
    self.file = file
    self.bytes = bytes
    self.partCount = partCount
    isInHeader = places.map { $0.header.overlaps(bytes) } ?? false
    tensors =
      places.map(\.tensors)?.compactMap { name, place in
        let part = place.clamped(to: bytes)
        guard !part.isEmpty else { return nil }
        return TensorPart(
          name: name,
          bytes: part.lowerBound - place.lowerBound..<part.upperBound - place.lowerBound)
      } ?? []
  }

  /// The place, to follow 'damaged'.
  var text: String {
    var text = "in bytes \(bytes.lowerBound)..<\(bytes.upperBound)"
    if partCount > 1 { text += " and \(partCount - 1) more places" }
    var contents = isInHeader ? ["the header"] : []
    contents += tensors.prefix(Self.namedTensorCount).map {
      "bytes \($0.bytes.lowerBound)..<\($0.bytes.upperBound) of tensor '\($0.name)'"
    }
    if tensors.count > Self.namedTensorCount {
      contents.append("\(tensors.count - Self.namedTensorCount) more tensors")
    }
    guard let last = contents.popLast() else { return text }
    let list = contents.isEmpty ? last : contents.joined(separator: ", ") + " and " + last
    return "\(text), which hold \(list)"
  }

  /// Tensors that a message names; a part of a small model may hold dozens.
  private static let namedTensorCount = 2
}

extension Damage {
  /// Compares the pieces of a file with what the tree says of them.
  ///
  /// - Parameters:
  ///   - found: the digests of the pieces, one after the other.
  ///   - places: what lies where in the file, with its header as it is.
  /// - Returns: nil when all agree.
  init?(
    of file: BundleManifest.File, _ tree: BundleManifest.Tree, found: [UInt8], expected: [UInt8],
    places: TensorPlaces?
  ) {
    let size = BundleManifest.Tree.digestByteCount
    let count = tree.pieceCount(of: file.byteCount)
    guard found.count == count * size, expected.count == count * size else { return nil }
    let wrong = (0..<count).filter {
      found[$0 * size..<($0 + 1) * size] != expected[$0 * size..<($0 + 1) * size]
    }
    guard let first = wrong.first else { return nil }
    self.init(
      file: file.path, bytes: tree.bytes(ofPiece: first, of: file.byteCount),
      partCount: wrong.count, places: places)
    // A header that is wrong says nothing about where tensors are.
    if let places,
      wrong.contains(where: {
        tree.bytes(ofPiece: $0, of: file.byteCount).overlaps(places.header)
      })
    {
      self = withoutTensors
    }
  }

  /// The same where the header cannot be believed.
  var withoutTensors: Damage {
    Damage(file: file, bytes: bytes, partCount: partCount, isInHeader: isInHeader, tensors: [])
  }

  private init(
    file: String, bytes: Range<Int>, partCount: Int, isInHeader: Bool, tensors: [TensorPart]
  ) {
    self.file = file
    self.bytes = bytes
    self.partCount = partCount
    self.isInHeader = isInHeader
    self.tensors = tensors
  }
}
