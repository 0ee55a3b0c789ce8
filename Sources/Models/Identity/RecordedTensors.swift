package import Kernels
import Synchronization
package import Tensors

/// Tensors on their way into a file, of which it is found out which model they are as they pass.
///
///     let recorded = RecordedTensors(tensors, of: configuration, with: kernels)
///     …                                          // someone asks for all rows, in order
///     let identity = try recorded.identity { info in file }
package final class RecordedTensors: TensorSource {
  private let source: any TensorSource
  private let configuration: ModelConfiguration
  private let kernels: Kernels
  private let state = Mutex(State())

  private struct State {
    /// The tensor that is passing, and its next row.
    var current: (name: String, row: Int, hash: TensorHash)?
    var finished: [String: ModelIdentity.Tensor] = [:]
  }

  /// - Parameter configuration: of the model that the tensors are.
  package init(
    _ source: any TensorSource, of configuration: ModelConfiguration, with kernels: Kernels
  ) {
    self.source = source
    self.configuration = configuration
    self.kernels = kernels
  }

  package var tensorInfos: [TensorInfo] { source.tensorInfos }

  package func info(named name: String) -> TensorInfo? { source.info(named: name) }

  package func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try source.tensor(named: name)
  }

  package func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    let block = try source.rows(rows, of: name)
    if let info = info(named: name), isHashed(info) { take(block, rows, of: info) }
    return block
  }

  package func rowMultiple(of name: String) -> Int {
    let own = source.rowMultiple(of: name)
    guard let info = info(named: name), isHashed(info) else { return own }
    return leastCommonMultiple(own, TensorHash.pieceRowCount(of: info))
  }

  package func prefetch(_ rows: Range<Int>, of name: String) { source.prefetch(rows, of: name) }

  /// Which model the tensors are.
  ///
  /// - Parameter place: what holds a tensor of which not all rows have passed, to be read there.
  /// - Returns: nil when a tensor is of a kind that has no identity.
  /// - Throws: what `place` throws, or `TensorSourceError`.
  package func identity(
    readingFrom place: (TensorInfo) throws -> any TensorSource
  ) throws -> ModelIdentity? {
    var tensors = state.withLock { $0.finished }
    for info in tensorInfos where ModelIdentity.covers(info, in: configuration) {
      guard ModelIdentity.canHash(info) else { return nil }
      guard tensors[info.name] == nil else { continue }
      tensors[info.name] = try ModelIdentity.Tensor(info, of: place(info), with: kernels)
    }
    return ModelIdentity(architecture: configuration.architecture.rawValue, tensors: tensors)
  }

  private func isHashed(_ info: TensorInfo) -> Bool {
    ModelIdentity.covers(info, in: configuration) && ModelIdentity.canHash(info)
  }

  /// Hashes rows that follow those before; others begin a tensor anew, or are left to `identity`.
  private func take(_ block: Tensor, _ rows: Range<Int>, of info: TensorInfo) {
    let begun = state.withLock { state in
      defer { state.current = nil }
      return state.current.flatMap {
        $0.name == info.name && $0.row == rows.lowerBound ? $0.hash : nil
      }
    }
    guard var hash = begun ?? (rows.lowerBound == 0 ? TensorHash() : nil) else { return }
    hash.update(block, rowCount: rows.count, of: info, with: kernels)
    let (row, isLast) = (rows.upperBound, rows.upperBound == max(info.rowCount, 1))
    state.withLock { [hash] state in
      if isLast {
        state.finished[info.name] = ModelIdentity.Tensor(shape: info.shape, sha256: hash.sha256)
      } else {
        state.current = (info.name, row, hash)
      }
    }
  }
}
