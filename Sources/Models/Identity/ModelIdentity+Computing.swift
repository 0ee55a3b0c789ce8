public import Files
public import Kernels
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
    for info in files.tensors.tensorInfos where Self.covers(info, in: configuration) {
      guard Self.canHash(info) else {
        throw ModelError(
          .identity,
          "\(files.path): '\(info.name)' is \(info.elementType) \(info.shape), and only F32, F16 and "
            + "BF16 weights have an identity of their own")
      }
      tensors[info.name] = try Tensor(info, of: files.tensors, with: kernels, progress: progress)
    }
    self.init(architecture: configuration.architecture.rawValue, tensors: tensors)
  }

  /// Whether a tensor of a file is one of the model, and not a copy of another or a table that can be
  /// computed.
  static func covers(_ info: TensorInfo, in configuration: ModelConfiguration) -> Bool {
    !(info.name == "lm_head.weight" && configuration.tiesWordEmbeddings)
      && !info.name.hasSuffix(".rotary_emb.inv_freq")
  }

  /// Whether a tensor has a hash: it is a vector or a matrix of numbers.
  static func canHash(_ info: TensorInfo) -> Bool {
    info.elementType.isComputable && !info.elementType.isQuantized && 1...2 ~= info.shape.rank
  }
}

extension ModelIdentity.Tensor {
  /// Reads a tensor and hashes it.
  ///
  /// - Parameter progress: told of bytes read.
  /// - Throws: `TensorSourceError`.
  init(
    _ info: TensorInfo, of source: any TensorSource, with kernels: Kernels,
    progress: ByteProgress? = nil
  ) throws(TensorSourceError) {
    let step =
      leastCommonMultiple(
        TensorHash.pieceRowCount(of: info), source.rowMultiple(of: info.name)) * 16
    let rowCount = max(info.rowCount, 1)
    var hash = TensorHash()
    for start in stride(from: 0, to: rowCount, by: step) {
      let rows = start..<min(start + step, rowCount)
      let block = try source.rows(rows, of: info.name)
      hash.update(block, rowCount: rows.count, of: info, with: kernels)
      progress?(block.byteCount)
    }
    self.init(shape: info.shape, sha256: hash.sha256)
  }
}
