import Synchronization
import Tensors

// What a merge that comes in pieces has to remember between them.

/// DoRA's factors for the columns of embeddings, which take a pass over all rows to find.
final class ColumnFactors: Sendable {
  private let factors = Mutex<[String: Tensor]>([:])

  subscript(key: String) -> Tensor? {
    get { factors.withLock { $0[key] } }
    set { factors.withLock { $0[key] = newValue } }
  }
}

/// How many rows of each tensor, from the first, came out as they went in.
final class Sameness: Sendable {
  private let rowCounts = Mutex<[String: Int]>([:])

  /// Whether the tensor has now come out whole and is what it was.
  ///
  /// Pieces that begin behind the first row, in a run that goes on with another, prove nothing.
  func isWhole(after rows: Range<Int>, of info: TensorInfo, isSame: Bool) -> Bool {
    rowCounts.withLock { counts in
      let before = rows.lowerBound == 0 ? 0 : counts[info.name]
      counts[info.name] = isSame && before == rows.lowerBound ? rows.upperBound : nil
      return counts[info.name] == info.rowCount
    }
  }
}
