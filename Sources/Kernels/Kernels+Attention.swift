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
    precondition(output.columnCount == queries.columnCount, "Column counts differ")
    let plan = unsafe AttentionPlan(
      queries, texts, scale: scale, softCap: softCap, output: output.mutablePointer)
    if plan.taskCount == 0 { return }
    plan.reservePartials()

    let attend = unsafe table.pointee.attend, attendSegment = unsafe table.pointee.attend_segment
    pool.parallelFor(
      count: plan.taskCount, grain: Self.grain(cost: plan.cost / plan.taskCount)
    ) { tasks in
      for task in tasks {
        guard let (text, part, head) = plan.work(of: task) else { continue }
        let rows = plan.rows(ofPart: part, of: text)
        unsafe plan.withAttention(of: text) { attention in
          if plan.isSegmented(text) {
            let segment = plan.segments(of: text).lowerBound + part
            unsafe attendSegment(
              attention, head, rows.upperBound, segment, plan.partials(part, head, of: text))
          } else {
            unsafe attend(attention, head, rows.lowerBound, rows.upperBound)
          }
        }
      }
    }

    guard texts.indices.contains(where: plan.isSegmented) else { return }
    let merge = unsafe table.pointee.merge_segments
    pool.parallelFor(count: texts.count * plan.headCount) { tasks in
      for task in tasks {
        let (text, head) = task.quotientAndRemainder(dividingBy: plan.headCount)
        guard plan.isSegmented(text) else { continue }
        unsafe plan.withAttention(of: text) { attention in
          unsafe merge(
            attention, head, plan.texts[text].rows.count, plan.partCount(of: text),
            plan.partials(0, head, of: text), plan.partialsStride(of: text))
        }
      }
    }
  }
}
