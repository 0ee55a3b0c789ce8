import Kernels
import Synchronization
import Tensors

/// How far each adapter moved each tensor, collected while a merge runs.
///
/// The measure is `‖ΔW‖ / ‖W‖`, Frobenius norms of the step and of the weight before it. A tensor may
/// come in pieces, from its first row to its last; the digits are those of the whole.
public final class MergeMeasurements: Sendable {
  struct Key: Hashable {
    /// The place of the adapter in the stack.
    let level: Int
    /// A module, or the tensor that is replaced.
    let place: String
  }

  /// Sums of squares over the rows so far.
  struct Sums {
    var change = 0.0
    var whole = 0.0
  }

  private let sums = Mutex<[Key: Sums]>([:])

  public init() {}

  /// The relative change that a line of the ledger is about; nil before its tensor was computed,
  /// and where there is nothing to compare.
  public func change(of entry: MergePlan.Entry) -> Double? {
    guard let sums = sums.withLock({ $0[Key(level: entry.level, place: entry.module)] }) else {
      return nil
    }
    return sums.whole > 0 ? (sums.change / sums.whole).squareRoot() : .infinity
  }

  /// Records an update that is a plain product: `‖B · A‖² = Σ (BᵀB) ⊙ (AAᵀ)`, without making it.
  ///
  /// - Parameter update: the whole update, whatever the piece.
  func record(
    _ update: LowRankUpdate, before weight: borrowing FloatMatrix, firstRow: Int,
    _ kernels: Kernels
  ) {
    var sums = takeSums(update.key, firstRow)
    if firstRow == 0 {
      let length = kernels.productLength(update.loraB, update.loraA) * Double(update.scaling)
      sums.change = length * length
    }
    sums.whole = kernels.sumOfSquares(of: weight, addedTo: sums.whole)
    put(sums, update.key)
  }

  func record(
    _ update: LowRankUpdate, before: borrowing FloatMatrix, after: borrowing FloatMatrix,
    firstRow: Int, _ kernels: Kernels
  ) {
    var sums = takeSums(update.key, firstRow)
    sums.change = kernels.sumOfSquaredDifferences(
      between: before, and: after, addedTo: sums.change)
    sums.whole = kernels.sumOfSquares(of: before, addedTo: sums.whole)
    put(sums, update.key)
  }

  /// Records a combined delta for each of the adapters that it was made of.
  func record(
    _ combined: CombinedUpdate, _ delta: borrowing FloatMatrix, before: borrowing FloatMatrix,
    firstRow: Int, _ kernels: Kernels
  ) {
    for share in combined.shares {
      let key = Key(level: share.position, place: combined.module)
      var sums = takeSums(key, firstRow)
      sums.change = kernels.sumOfSquares(of: delta, addedTo: sums.change)
      sums.whole = kernels.sumOfSquares(of: before, addedTo: sums.whole)
      put(sums, key)
    }
  }

  /// Records rows that gave way, all of a piece or some.
  ///
  /// - Parameters:
  ///   - old: the piece before; as many rows as `new`, unless `rows` names those that `new` replaces.
  ///   - rows: rows of the piece.
  func record(
    _ replacement: TensorReplacement, _ old: borrowing FloatMatrix, by new: borrowing FloatMatrix,
    rows: [Int]?, firstRow: Int, _ kernels: Kernels
  ) {
    var sums = takeSums(replacement.key, firstRow)
    sums.whole = kernels.sumOfSquares(of: old, addedTo: sums.whole)
    if let rows {
      var same = FloatMatrix(rowCapacity: rows.count, columnCount: old.columnCount)
      for (position, row) in rows.enumerated() { same.setRow(position, to: old[row]) }
      sums.change = kernels.sumOfSquaredDifferences(
        between: same, and: new, addedTo: sums.change)
    } else {
      sums.change = kernels.sumOfSquaredDifferences(between: old, and: new, addedTo: sums.change)
    }
    put(sums, replacement.key)
  }

  /// What was summed up to a row; nothing at the first.
  private func takeSums(_ key: Key, _ firstRow: Int) -> Sums {
    firstRow == 0 ? Sums() : sums.withLock { $0[key] ?? Sums() }
  }

  private func put(_ sums: Sums, _ key: Key) { self.sums.withLock { $0[key] = sums } }
}

extension LowRankUpdate {
  fileprivate var key: MergeMeasurements.Key {
    MergeMeasurements.Key(level: level, place: module)
  }
}

extension TensorReplacement {
  fileprivate var key: MergeMeasurements.Key { MergeMeasurements.Key(level: level, place: name) }
}

extension MergeMeasurements {
  /// One sum, for a run that another one goes on with.
  package struct Record: Sendable, Hashable {
    package let level: Int
    package let place: String
    package let change: Double
    package let whole: Double

    package init(level: Int, place: String, change: Double, whole: Double) {
      self.level = level
      self.place = place
      self.change = change
      self.whole = whole
    }
  }

  /// What was measured of a tensor of the checkpoint.
  package func records(of tensor: String) -> [Record] {
    let module = tensor.hasSuffix(".weight") ? String(tensor.dropLast(7)) : tensor
    return sums.withLock { sums in
      sums.filter { $0.key.place == tensor || $0.key.place == module }.map {
        Record(
          level: $0.key.level, place: $0.key.place, change: $0.value.change,
          whole: $0.value.whole)
      }.sorted { ($0.level, $0.place) < ($1.level, $1.place) }
    }
  }

  package func restore(_ record: Record) {
    let sums = Sums(change: record.change, whole: record.whole)
    put(sums, Key(level: record.level, place: record.place))
  }
}
