public import Kernels
public import Tensors

/// A base with what adapters do to its tensors, computed tensor by tensor when asked for.
///
/// `W' = W + Σ scaling · B · A`, DoRA's lengths and replaced tensors in the order of the adapters,
/// in float32 and rounded once unless `rounding` says otherwise: the same bytes on every CPU and any
/// number of threads. Every other tensor is the base's own, converted only when another element type
/// is asked for.
public struct MergedTensors: TensorSource {
  private let base: any TensorSource
  private let edits: TensorEdits
  private let elementType: @Sendable (TensorInfo) -> ElementType
  private let rounding: MergeRounding
  private let measurements: MergeMeasurements?
  private let kernels: Kernels
  private let columnFactors = ColumnFactors()
  private let sameness = Sameness()

  /// The base after the merge that `plan` describes.
  ///
  /// - Parameters:
  ///   - plan: what to merge; its adapters have been fitted to `base`.
  ///   - rounding: how often a weight is rounded on its way.
  ///   - measurements: told how far each step moved its tensor.
  ///   - elementType: float32, float16 or bfloat16 for a float vector or matrix of the base.
  public init(
    _ base: any TensorSource, _ plan: MergePlan, with kernels: Kernels,
    rounding: MergeRounding = .once, measuring measurements: MergeMeasurements? = nil,
    elementType: @escaping @Sendable (TensorInfo) -> ElementType = { $0.elementType }
  ) {
    self.init(
      base, plan.edits, with: kernels, rounding: rounding, measuring: measurements,
      elementType: elementType)
  }

  /// The base as `stack` has it in `pass`, but for the updates, which run beside it.
  ///
  /// Nothing is rounded: what an adapter brings keeps its type, whatever the base's is.
  public init(
    _ base: any TensorSource, _ stack: AdapterStack, in pass: ForwardPass, with kernels: Kernels
  ) {
    let edits = stack.replacements(in: pass)
    self.init(base, edits, with: kernels) { edits.exactType(of: $0) }
  }

  init(
    _ base: any TensorSource, _ edits: TensorEdits, with kernels: Kernels,
    rounding: MergeRounding = .once, measuring measurements: MergeMeasurements? = nil,
    elementType: @escaping @Sendable (TensorInfo) -> ElementType = { $0.elementType }
  ) {
    self.base = edits.untiesHead ? UntiedTensors(base) : base
    self.edits = edits
    self.rounding = rounding
    self.measurements = measurements
    self.elementType = elementType
    self.kernels = kernels
  }

  public var tensorInfos: [TensorInfo] { base.tensorInfos.map(edited) }

  public func info(named name: String) -> TensorInfo? { base.info(named: name).map(edited) }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let info = info(named: name) else { throw TensorSourceError(missing: name, in: base) }
    let steps = edits.byTensor[name] ?? []
    guard steps.isEmpty else { return try rows(0..<info.rowCount, of: name) }
    let tensor = try base.tensor(named: name)
    return info.elementType == tensor.elementType
      ? tensor : try converted(tensor, to: info.elementType, named: name)
  }

  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    guard let info = info(named: name) else { throw TensorSourceError(missing: name, in: base) }
    let steps = edits.byTensor[name] ?? []
    if steps.isEmpty {
      let piece = try base.rows(rows, of: name)
      return info.elementType == piece.elementType
        ? piece : try converted(piece, to: info.elementType, named: name)
    }
    if steps.count == 1, case .replace(let replacement) = steps[0], replacement.rows == nil,
      replacement.tensor.elementType == info.elementType
    {
      try measure(replacement, rows)
      return replacement.tensor.rows(rows)
    }
    return try merged(rows, of: info, steps)
  }

  public func rowMultiple(of name: String) -> Int {
    let isRowByRow = (edits.byTensor[name] ?? []).allSatisfy { $0.isRowByRow }
    let rowCount = info(named: name)?.rowCount ?? 1
    // A replaced tensor may have rows that the base has not.
    return isRowByRow ? base.rowMultiple(of: name) : max(rowCount, 1)
  }

  public func prefetch(_ rows: Range<Int>, of name: String) {
    let rowCount = base.info(named: name)?.rowCount ?? 0
    base.prefetch(rows.clamped(to: 0..<rowCount), of: name)
  }

  private func merged(
    _ rows: Range<Int>, of info: TensorInfo, _ steps: [TensorEdit]
  ) throws(TensorSourceError) -> Tensor {
    let (name, type) = (info.name, info.elementType)
    let original = try piece(rows, of: name, replacedBy: steps)
    let weight = try applied(steps[...], to: original, rows, of: info, measurements)
    guard weight.isFinite else {
      throw TensorSourceError(
        "'\(name)' overflows when the adapters are merged; a weight of an adapter is too large")
    }
    let shape = info.withRowCount(rows.count).shape
    let result = kernels.tensor(weight, shape: shape, as: type)
    try checkRange(of: result, named: name)
    let isSame = original.map { type == $0.elementType && result.hasSameBytes(as: $0) } ?? false
    if sameness.isWhole(after: rows, of: info, isSame: isSame), steps.contains(where: \.isFelt) {
      throw TensorSourceError(
        "'\(name)' does not change: every delta is too small for \(type)"
          + (type == .float32 ? "" : ". Merge with --dtype f32"))
    }
    return result
  }

  /// Rows of the base; nil when the tensor is replaced by one that has others.
  private func piece(
    _ rows: Range<Int>, of name: String, replacedBy steps: [TensorEdit]
  ) throws(TensorSourceError) -> Tensor? {
    let isReshaped = steps.contains {
      guard case .replace(let replacement) = $0, replacement.rows == nil else { return false }
      return replacement.tensor.shape != base.info(named: name)?.shape
    }
    return isReshaped ? nil : try base.rows(rows, of: name)
  }

  /// Rows of a tensor after some of its steps, `[out, in]`.
  ///
  /// - Parameter original: the rows of the base, when it has them.
  private func applied(
    _ steps: ArraySlice<TensorEdit>, to original: Tensor?, _ rows: Range<Int>, of info: TensorInfo,
    _ measurements: MergeMeasurements?
  ) throws(TensorSourceError) -> FloatMatrix {
    var weight =
      original.map { kernels.floats(of: $0) }
      ?? FloatMatrix(rowCapacity: rows.count, columnCount: info.shape[info.shape.rank - 1])
    let intermediate = rounding.intermediateType(of: info.elementType)
    for (position, step) in zip(steps.indices, steps) {
      switch step {
      case .replace(let replacement):
        replace(&weight, by: replacement, rows, isComparable: original != nil, measurements)
        if let intermediate { kernels.round(&weight, to: intermediate) }
      case .update(let update):
        let columnFactors =
          update.hasColumnFactors ? try columnFactors(update, position, of: info) : nil
        update.merge(
          into: &weight, firstRow: rows.lowerBound, columnFactors: columnFactors,
          rounding: intermediate, measurements, kernels)
      case .combine(let combined):
        let delta = combined.delta(rows: rows, with: kernels)
        measurements?.record(
          combined, delta, before: weight, firstRow: rows.lowerBound, kernels)
        kernels.add(delta, to: &weight)
      case .biasUpdate(let update):
        guard let bias = update.outputBias else { continue }
        kernels.addBias(bias, scale: update.scaling, to: &weight)
      }
    }
    return weight
  }

  private func replace(
    _ weight: inout FloatMatrix, by replacement: TensorReplacement, _ rows: Range<Int>,
    isComparable: Bool, _ measurements: MergeMeasurements?
  ) {
    let firstRow = rows.lowerBound
    guard let replaced = replacement.rows else {
      let new = kernels.floats(of: replacement.tensor.rows(rows))
      if isComparable {
        measurements?.record(replacement, weight, by: new, rows: nil, firstRow: firstRow, kernels)
      }
      weight = new
      return
    }
    let positions = replaced.indices.filter { rows.contains(replaced[$0]) }
    var new = FloatMatrix(rowCapacity: positions.count, columnCount: weight.columnCount)
    kernels.gatherRows(positions, of: replacement.tensor, into: &new)
    let places = positions.map { replaced[$0] - firstRow }
    if isComparable {
      measurements?.record(
        replacement, weight, by: new, rows: places, firstRow: firstRow, kernels)
    }
    for (position, row) in places.enumerated() { weight.setRow(row, to: new[position]) }
  }

  /// DoRA's factors for the columns of an embedding, found once in a pass over all its rows.
  private func columnFactors(
    _ update: LowRankUpdate, _ position: Int, of info: TensorInfo
  ) throws(TensorSourceError) -> Tensor {
    let key = "\(info.name) \(position)"
    if let known = columnFactors[key] { return known }
    let steps = edits.byTensor[info.name] ?? []
    var squares = [Double](repeating: 0, count: info.shape[1])
    let step = leastCommonMultiple(base.rowMultiple(of: info.name), 256)
    for start in stride(from: 0, to: info.rowCount, by: step) {
      let rows = start..<min(start + step, info.rowCount)
      let original = try piece(rows, of: info.name, replacedBy: steps)
      var weight = try applied(steps[..<position], to: original, rows, of: info, nil)
      kernels.addProduct(
        update.loraB.rows(rows), update.loraA, scale: update.scaling, to: &weight)
      kernels.addSquaresOfColumns(of: weight, to: &squares)
    }
    let factors = update.columnFactors(squares: squares)
    columnFactors[key] = factors
    return factors
  }

  /// Records how far a tensor that replaces another is from it.
  private func measure(
    _ replacement: TensorReplacement, _ rows: Range<Int>
  ) throws(TensorSourceError) {
    guard let measurements, base.info(named: replacement.name)?.shape == replacement.tensor.shape
    else { return }
    let old = kernels.floats(of: try base.rows(rows, of: replacement.name))
    let new = kernels.floats(of: replacement.tensor.rows(rows))
    measurements.record(
      replacement, old, by: new, rows: nil, firstRow: rows.lowerBound, kernels)
  }

  private func converted(
    _ tensor: Tensor, to type: ElementType, named name: String
  ) throws(TensorSourceError) -> Tensor {
    let result = kernels.tensor(kernels.floats(of: tensor), shape: tensor.shape, as: type)
    try checkRange(of: result, named: name)
    return result
  }

  /// Refuses values that a type cannot hold: float16 ends at 65504, the others where float32 does.
  private func checkRange(of result: Tensor, named name: String) throws(TensorSourceError) {
    guard result.elementType != .float16 || kernels.floats(of: result).isFinite else {
      throw TensorSourceError(
        "'\(name)' has values that F16 cannot hold. Write it with --dtype bf16 or f32")
    }
  }

  /// What is known of a tensor once it is edited; of a quantized one that is float32.
  private func edited(_ info: TensorInfo) -> TensorInfo {
    guard info.elementType.isComputable, 1...2 ~= info.shape.rank else { return info }
    let steps = edits.byTensor[info.name] ?? []
    var shape = info.shape
    for case .replace(let replacement) in steps where replacement.rows == nil {
      shape = replacement.tensor.shape
    }
    var type = elementType(info)
    if !steps.isEmpty && type.isQuantized { type = .float32 }
    return TensorInfo(name: info.name, shape: shape, elementType: type)
  }
}

extension TensorEdit {
  /// Whether a row of the result depends on that row alone.
  fileprivate var isRowByRow: Bool {
    if case .combine(let combined) = self { combined.isRowByRow } else { true }
  }

  /// Whether the step is meant to change its tensor.
  fileprivate var isFelt: Bool {
    switch self {
    case .update(let update): !update.isZero
    case .biasUpdate(let update): update.outputBias?.isAllZero == false
    case .combine(let combined): !combined.shares.allSatisfy(\.update.isZero)
    case .replace: false
    }
  }
}

extension LowRankUpdate {
  fileprivate var hasColumnFactors: Bool { isEmbedding && magnitude != nil }
}
