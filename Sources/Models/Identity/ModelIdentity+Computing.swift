import Crypto
public import Files
public import Kernels
import Synchronization
import Tensors

extension ModelIdentity {
  /// Computes the identity of a model by reading all of its weights.
  ///
  /// - Parameter progress: told of bytes read.
  /// - Throws: `ModelError` when the weights are quantized: such a model can only name the one that it
  ///   was made from.
  public init(
    of files: ModelFiles, with kernels: Kernels, progress: ByteProgress? = nil
  ) throws {
    let configuration = try files.configuration()
    var tensors: [String: Tensor] = [:]
    for info in files.tensors.tensorInfos {
      if info.name == "lm_head.weight" && configuration.tiesWordEmbeddings { continue }
      if info.name.hasSuffix(".rotary_emb.inv_freq") { continue }
      guard info.elementType.isComputable, !info.elementType.isQuantized, 1...2 ~= info.shape.rank
      else {
        throw ModelError(
          .identity,
          "\(files.path): '\(info.name)' is \(info.elementType) \(info.shape), and only F32, F16 and "
            + "BF16 weights have an identity of their own")
      }
      tensors[info.name] = Tensor(
        shape: info.shape, sha256: try Self.digest(of: info, files.tensors, kernels, progress))
    }
    self.init(architecture: configuration.architecture.rawValue, tensors: tensors)
  }

  /// Elements of a piece whose hash goes into that of its tensor, in whole rows.
  private static let pieceElementCount = 1 << 16

  /// The SHA-256 over the SHA-256s of pieces of rows, which all cores compute.
  private static func digest(
    of info: TensorInfo, _ source: any TensorSource, _ kernels: Kernels, _ progress: ByteProgress?
  ) throws -> String {
    let rowElementCount = max(info.shape.elementCount / max(info.rowCount, 1), 1)
    let pieceRowCount = max(pieceElementCount / rowElementCount, 1)
    let step =
      leastCommonMultiple(
        pieceRowCount, source.rowMultiple(of: info.name)) * 16
    var hashes = (narrow: SHA256(), wide: SHA256())
    var isNarrow = true
    for start in stride(from: 0, to: max(info.rowCount, 1), by: step) {
      let rows = start..<min(start + step, max(info.rowCount, 1))
      let block = try source.rows(rows, of: info.name)
      let pieces = stride(from: 0, to: rows.count, by: pieceRowCount).map {
        block.rows($0..<min($0 + pieceRowCount, rows.count))
      }
      let digests = Mutex<[PieceDigest?]>(Array(repeating: nil, count: pieces.count))
      kernels.pool.parallelFor(count: pieces.count) { range in
        for index in range {
          let digest = PieceDigest(pieces[index], kernels)
          digests.withLock { $0[index] = digest }
        }
      }
      for case let digest? in digests.withLock({ $0 }) {
        if let narrow = digest.narrow {
          hashes.narrow.update(data: narrow)
        } else {
          isNarrow = false
        }
        if let wide = digest.wide { hashes.wide.update(data: wide) }
      }
      progress?(block.byteCount)
    }
    return hexadecimal(isNarrow ? hashes.narrow.finalize() : hashes.wide.finalize())
  }
}

/// The hashes of a piece of a tensor, in each encoding that its tensor may be hashed in.
private struct PieceDigest: Sendable {
  /// Of the BF16 bits; nil when an element is no BF16 number.
  let narrow: [UInt8]?
  /// Of the float32 bits; nil when the whole tensor is BF16.
  let wide: [UInt8]?

  init(_ piece: Tensors.Tensor, _ kernels: Kernels) {
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

  private static func sha256(_ tensor: Tensors.Tensor) -> [UInt8] {
    let bytes = tensor.bytes
    return unsafe bytes.withUnsafeBytes { buffer in
      var hash = SHA256()
      unsafe hash.update(bufferPointer: buffer)
      return Array(hash.finalize())
    }
  }
}
