import CKernels

/// How attention is cut into parts that threads can take.
///
/// A part is a block of rows of a text or, where all rows make one block and the text is long, a
/// segment of the positions that they see. Neither depends on the number of threads nor on the other
/// texts, and so neither do the numbers.
///
/// It goes to threads that have returned when `Kernels.attend` does, and that only read the caches
/// and write what belongs to their part; hence the unchecked `Sendable`. Texts are named by index.
@safe struct AttentionPlan: @unchecked Sendable {
  let texts: [Kernels.TextRows]
  /// Key-value heads.
  let headCount: Int
  private let headDimension: Int
  private let window: Int?
  private let scale: Float
  private let softCap: Float?
  /// Query heads that share one of keys.
  private let sharing: Int
  private let queries: UnsafePointer<Float>
  private let output: UnsafeMutablePointer<Float>
  /// Parts of the text that has the most.
  private var partCount = 0
  /// Multiply-adds of all texts.
  private(set) var cost = 0

  init(
    _ queries: borrowing FloatMatrix, _ texts: [Kernels.TextRows], scale: Float, softCap: Float?,
    output: UnsafeMutablePointer<Float>
  ) {
    precondition(softCap ?? 1 > 0, "Cap out of bounds")
    self.texts = texts
    let shape = texts.first?.cache
    headCount = shape?.headCount ?? 1
    headDimension = shape?.headDimension ?? 1
    window = shape?.window
    self.scale = scale
    self.softCap = softCap
    sharing = queries.columnCount / (headCount * headDimension)
    precondition(
      sharing > 0 && queries.columnCount % (headCount * headDimension) == 0,
      "Queries are no whole number of groups")
    unsafe self.queries = queries.pointer
    unsafe self.output = output
    for (index, text) in texts.enumerated() {
      let cache = text.cache
      precondition(
        cache.headCount == headCount && cache.headDimension == headDimension
          && cache.window == window, "Caches differ")
      precondition(
        text.rows.lowerBound >= 0 && text.rows.upperBound <= queries.rowCount, "Row out of bounds")
      precondition(
        text.firstPosition >= 0 && cache.keepsAll(seenFrom: text.firstPosition),
        "Position out of bounds")
      partCount = max(partCount, partCount(of: index))
      let seen = min(window ?? .max, cache.positionCount)
      cost += 2 * queries.columnCount * text.rows.count * seen
    }
  }

  /// The parts of all texts and heads, some of which are empty: as many as if all texts had as many
  /// as the one that has the most.
  var taskCount: Int { partCount * texts.count * headCount }

  /// What a task is to do; nil for nothing.
  ///
  /// All texts take turns, so that neighbours of a short text do not leave a thread idle, and the
  /// last parts, whose rows see the most, come first.
  func work(of task: Int) -> (text: Int, part: Int, head: Int)? {
    let (place, head) = task.quotientAndRemainder(dividingBy: headCount)
    let text = place % texts.count, part = partCount - 1 - place / texts.count
    return part < partCount(of: text) ? (text, part, head) : nil
  }

  func partCount(of text: Int) -> Int {
    isSegmented(text) ? segments(of: text).count : blockCount(of: text)
  }

  /// The rows of a part, counted from the first of the text.
  func rows(ofPart part: Int, of text: Int) -> Range<Int> {
    let count = texts[text].rows.count
    if isSegmented(text) { return 0..<count }
    return part * blockRowCount..<min((part + 1) * blockRowCount, count)
  }

  /// Rows that share a pass over the keys.
  private var blockRowCount: Int { max(1, Int(FLARE_ATTENTION_QUERIES) / sharing) }

  private func blockCount(of text: Int) -> Int {
    (texts[text].rows.count + blockRowCount - 1) / blockRowCount
  }

  /// The segments that hold what the rows of a text see.
  func segments(of text: Int) -> Range<Int> {
    let size = Int(FLARE_ATTENTION_SEGMENT), position = texts[text].firstPosition
    let first = position - min(position, (window ?? .max) - 1)
    return first / size..<(texts[text].cache.positionCount + size - 1) / size
  }

  /// Whether the parts of a text are segments.
  func isSegmented(_ text: Int) -> Bool {
    1...Int(FLARE_ATTENTION_QUERIES) ~= texts[text].rows.count * sharing
      && segments(of: text).count > 1
  }

  /// Floats from the partial results of a part to those of the next, [head][query][partial].
  func partialsStride(of text: Int) -> Int {
    headCount * texts[text].rows.count * sharing * flare_attention_partial_size(headDimension)
  }

  func reservePartials() {
    for text in texts.indices where isSegmented(text) {
      texts[text].cache.reservePartials(count: partCount(of: text) * partialsStride(of: text))
    }
  }

  /// Where the partial results of one head begin.
  @unsafe func partials(_ part: Int, _ head: Int, of text: Int) -> UnsafeMutablePointer<Float> {
    let stride = partialsStride(of: text)
    return unsafe texts[text].cache.partialsPointer + part * stride + head * (stride / headCount)
  }

  /// Calls `body` with a text as C sees it.
  func withAttention(of text: Int, _ body: (UnsafePointer<flare_attention>) -> Void) {
    let rows = texts[text].rows
    let offset = rows.lowerBound * sharing * headCount * headDimension
    let attention = unsafe flare_attention(
      queries: queries + offset, output: output + offset, cache: texts[text].cache.keyValues,
      head_count: sharing * headCount, first_position: texts[text].firstPosition,
      window: window ?? .max, scale: scale, soft_cap: softCap ?? 0)
    unsafe withUnsafePointer(to: attention) { unsafe body($0) }
  }
}
