/// The keys and values that one layer keeps of one text.
///
/// One per layer and session. Rows are added with `Kernels.append` and read by `Kernels.attend`.
public final class KeyValueCache {
  public let headCount: Int
  public let headDimension: Int
  /// How many positions a query sees, its own included; nil for all.
  public let window: Int?
  /// How many positions the text has so far.
  public private(set) var positionCount = 0
  /// `[positionCount, headCount · headDimension]` each.
  private(set) var keys: FloatMatrix
  private(set) var values: FloatMatrix

  /// An empty cache.
  ///
  /// - Parameters:
  ///   - capacity: the longest text, in positions.
  ///   - headCount: key-value heads.
  public init(capacity: Int, headCount: Int, headDimension: Int, window: Int?) {
    self.headCount = headCount
    self.headDimension = headDimension
    self.window = window
    keys = FloatMatrix(rowCapacity: capacity, columnCount: headCount * headDimension)
    values = FloatMatrix(rowCapacity: capacity, columnCount: headCount * headDimension)
    keys.rowCount = 0
    values.rowCount = 0
  }

  /// Forgets all positions from `count` on: what was added on trial.
  public func truncate(to count: Int) {
    precondition(0...positionCount ~= count, "Position out of bounds")
    keys.rowCount = count
    values.rowCount = count
    positionCount = count
  }

  fileprivate func append(
    _ newKeys: borrowing FloatMatrix, _ newValues: borrowing FloatMatrix, rows: Range<Int>
  ) {
    keys.rowCount += rows.count
    values.rowCount += rows.count
    for row in rows {
      let position = positionCount + row - rows.lowerBound
      keys.setRow(position, to: newKeys[row])
      values.setRow(position, to: newValues[row])
    }
    positionCount += rows.count
  }
}

extension Kernels {
  /// Adds rows of keys and values behind those of `cache`.
  ///
  /// - Parameters:
  ///   - keys: [rows, headCount · headDimension], already rotated.
  ///   - values: as `keys`.
  ///   - rows: which of them.
  public func append(
    keys: borrowing FloatMatrix, values: borrowing FloatMatrix, rows: Range<Int>,
    to cache: KeyValueCache
  ) {
    cache.append(keys, values, rows: rows)
  }
}
