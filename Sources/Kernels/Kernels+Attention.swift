import CKernels

extension Kernels {
  /// The widest head that `attend` can take.
  public static let maximumHeadDimension = FLARE_MAX_HEAD_DIMENSION

  /// The rows of a matrix that belong to one text.
  public struct TextRows {
    public let rows: Range<Int>
    /// What the layer keeps of the text, these rows included.
    public let cache: KeyValueCache

    public init(rows: Range<Int>, cache: KeyValueCache) {
      self.rows = rows
      self.cache = cache
    }

    /// The position of the first row in its text.
    var firstPosition: Int { cache.positionCount - rows.count }
  }

  /// Causal attention with grouped queries: output = softmax(queries · keysᵀ · scale) · values, head
  /// by head.
  ///
  /// The rows of each text see its cache, up to their own position. The softmax runs over blocks of
  /// keys, so memory does not grow with their number.
  ///
  /// - Parameters:
  ///   - queries: [rows, heads · headDimension], heads a multiple of the key-value heads.
  ///   - texts: cover the rows once; their caches have the same heads and the same window.
  ///   - softCap: bounds scores to ± this by tanh, before the softmax.
  ///   - output: as `queries`; gets their row count.
  public func attend(
    queries: borrowing FloatMatrix, texts: [TextRows], scale: Float, softCap: Float?,
    into output: inout FloatMatrix
  ) {
    output.rowCount = queries.rowCount
    for text in texts {
      attend(queries: queries, text, scale: scale, softCap: softCap, into: &output)
    }
  }

  private func attend(
    queries: borrowing FloatMatrix, _ text: TextRows, scale: Float, softCap: Float?,
    into output: inout FloatMatrix
  ) {
    let cache = text.cache, headDimension = cache.headDimension, window = cache.window
    let rowCount = text.rows.count, positionCount = cache.positionCount
    precondition(
      1...Self.maximumHeadDimension ~= headDimension, "Head dimension out of bounds")
    precondition(text.firstPosition >= 0, "Position out of bounds")
    precondition(window ?? 1 > 0 && softCap ?? 1 > 0, "Window or cap out of bounds")
    let keyColumns = cache.headCount * headDimension
    precondition(
      queries.columnCount % keyColumns == 0 && output.columnCount == queries.columnCount,
      "Queries are no whole number of groups")
    let sharing = queries.columnCount / keyColumns
    let offset = text.rows.lowerBound * queries.columnCount

    nonisolated(unsafe) let attention = unsafe flare_attention(
      queries: queries.pointer + offset, keys: cache.keys.pointer, values: cache.values.pointer,
      output: output.mutablePointer + offset, head_count: sharing * cache.headCount,
      key_value_head_count: cache.headCount, head_dimension: headDimension,
      first_position: text.firstPosition, window: window ?? Int.max, scale: scale,
      soft_cap: softCap ?? 0)
    let attend = unsafe table.pointee.attend
    let blockRows = max(1, FLARE_ATTENTION_QUERIES / sharing)
    let blockCount = (rowCount + blockRows - 1) / blockRows
    let seen = min(window ?? positionCount, positionCount)
    let cost = 2 * blockRows * sharing * seen * headDimension
    pool.parallelFor(count: cache.headCount * blockCount, grain: Self.grain(cost: cost)) {
      tasks in
      for task in tasks {
        let (head, block) = task.quotientAndRemainder(dividingBy: blockCount)
        let first = block * blockRows, end = min(first + blockRows, rowCount)
        unsafe withUnsafePointer(to: attention) { unsafe attend($0, head, first, end) }
      }
    }
  }
}
