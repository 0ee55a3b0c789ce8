import Kernels
import Synchronization
import Tensors

/// How far each adapter moved each tensor, collected while a merge runs.
///
/// The measure is `‖ΔW‖ / ‖W‖`, Frobenius norms of the step and of the weight before it.
public final class MergeMeasurements: Sendable {
  private struct Key: Hashable {
    /// The place of the adapter in the stack.
    let level: Int
    /// A module, or the tensor that is replaced.
    let place: String

    init(level: Int, place: String) {
      self.level = level
      self.place = place
    }

    init(_ update: LowRankUpdate) {
      level = update.level
      place = update.module
    }

    init(_ replacement: TensorReplacement) {
      level = replacement.level
      place = replacement.name
    }
  }

  private let changes = Mutex<[Key: Double]>([:])

  public init() {}

  /// The relative change that a line of the ledger is about; nil before its tensor was computed,
  /// and where there is nothing to compare.
  public func change(of entry: MergePlan.Entry) -> Double? {
    changes.withLock { $0[Key(level: entry.level, place: entry.module)] }
  }

  /// Records an update that is a plain product: `‖B · A‖² = Σ (BᵀB) ⊙ (AAᵀ)`, without making it.
  func record(_ update: LowRankUpdate, before weight: borrowing FloatMatrix, _ kernels: Kernels) {
    let length = kernels.productLength(update.loraB, update.loraA) * Double(abs(update.scaling))
    set(Key(update), length, kernels.length(of: weight))
  }

  func record(
    _ update: LowRankUpdate, before: borrowing FloatMatrix, after: borrowing FloatMatrix,
    _ kernels: Kernels
  ) {
    set(
      Key(update), kernels.distance(between: before, and: after), kernels.length(of: before))
  }

  /// Records a combined delta for each of the adapters that it was made of.
  func record(
    _ combined: CombinedUpdate, _ delta: borrowing FloatMatrix, before: borrowing FloatMatrix,
    _ kernels: Kernels
  ) {
    let (change, whole) = (kernels.length(of: delta), kernels.length(of: before))
    for share in combined.shares {
      set(Key(level: share.position, place: combined.module), change, whole)
    }
  }

  func record(_ replacement: TensorReplacement, inPlaceOf tensor: Tensor, _ kernels: Kernels) {
    let new = kernels.floats(of: replacement.tensor)
    let old = kernels.floats(of: tensor)
    let key = Key(replacement)
    if let rows = replacement.rows {
      guard rows.allSatisfy({ $0 < old.rowCount }) else { return }
      var same = FloatMatrix(rowCapacity: rows.count, columnCount: old.columnCount)
      for (position, row) in rows.enumerated() { same.setRow(position, to: old[row]) }
      set(key, kernels.distance(between: same, and: new), kernels.length(of: old))
    } else if replacement.tensor.shape == tensor.shape {
      set(key, kernels.distance(between: old, and: new), kernels.length(of: old))
    }
  }

  private func set(_ key: Key, _ change: Double, _ whole: Double) {
    changes.withLock { $0[key] = whole > 0 ? change / whole : .infinity }
  }
}
