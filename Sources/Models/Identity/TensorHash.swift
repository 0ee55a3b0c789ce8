import Crypto
import Files
import Kernels
import Synchronization
import Tensors

/// The hash of a tensor in the identity of its model, computed as the rows pass by in order.
struct TensorHash: Sendable {
  private var narrow = SHA256()
  private var wide = SHA256()
  private var isNarrow = true

  /// Elements of a piece whose hash goes into that of its tensor, in whole rows.
  private static let pieceElementCount = 1 << 16

  /// How many rows a piece has: what blocks of rows have to be cut at.
  static func pieceRowCount(of info: TensorInfo) -> Int {
    let rowElementCount = max(info.shape.elementCount / max(info.rowCount, 1), 1)
    return max(pieceElementCount / rowElementCount, 1)
  }

  /// Takes the next rows, whose pieces all cores hash.
  ///
  /// - Parameters:
  ///   - rowCount: how many rows the block has.
  ///   - info: of the whole tensor.
  mutating func update(
    _ block: Tensor, rowCount: Int, of info: TensorInfo, with kernels: Kernels
  ) {
    let pieceRowCount = Self.pieceRowCount(of: info)
    let pieces = stride(from: 0, to: rowCount, by: pieceRowCount).map {
      block.rows($0..<min($0 + pieceRowCount, rowCount))
    }
    let digests = Mutex<[PieceDigest?]>(Array(repeating: nil, count: pieces.count))
    kernels.pool.parallelFor(count: pieces.count) { range in
      for index in range {
        let digest = PieceDigest(pieces[index], kernels)
        digests.withLock { $0[index] = digest }
      }
    }
    for case let digest? in digests.withLock({ $0 }) {
      if let bytes = digest.narrow {
        narrow.update(data: bytes)
      } else {
        isNarrow = false
      }
      if let bytes = digest.wide { wide.update(data: bytes) }
    }
  }

  /// 64 hexadecimal digits, once all rows have passed.
  var sha256: String { hexadecimal(isNarrow ? narrow.finalize() : wide.finalize()) }
}

/// The hashes of a piece of a tensor, in each encoding that its tensor may be hashed in.
private struct PieceDigest: Sendable {
  /// Of the BF16 bits; nil when an element is no BF16 number.
  let narrow: [UInt8]?
  /// Of the float32 bits; nil when the whole tensor is BF16.
  let wide: [UInt8]?

  init(_ piece: Tensor, _ kernels: Kernels) {
    if piece.elementType == .bfloat16 {
      narrow = Self.sha256(piece)
      wide = nil
      return
    }
    let floats = kernels.floats(of: piece)
    let same = kernels.tensor(floats, shape: piece.shape, as: .float32)
    let rounded = kernels.tensor(floats, shape: piece.shape, as: .bfloat16)
    let back = kernels.tensor(kernels.floats(of: rounded), shape: piece.shape, as: .float32)
    narrow = back.hasSameBytes(as: same) ? Self.sha256(rounded) : nil
    wide = Self.sha256(same)
  }

  private static func sha256(_ tensor: Tensor) -> [UInt8] {
    let bytes = tensor.bytes
    return unsafe bytes.withUnsafeBytes { buffer in
      var hash = SHA256()
      unsafe hash.update(bufferPointer: buffer)
      return Array(hash.finalize())
    }
  }
}
