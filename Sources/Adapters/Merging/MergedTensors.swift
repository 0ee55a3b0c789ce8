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
    guard let info = base.info(named: name) else {
      throw TensorSourceError(missing: name, in: base)
    }
    let type = edited(info).elementType
    let steps = edits.byTensor[name] ?? []
    guard let first = steps.first else {
      let tensor = try base.tensor(named: name)
      return type == tensor.elementType ? tensor : try converted(tensor, to: type, named: name)
    }
    if steps.count == 1, case .replace(let replacement) = first, replacement.rows == nil,
      replacement.tensor.elementType == type
    {
      measure(replacement, of: try base.tensor(named: name))
      return replacement.tensor
    }
    return try merged(name, steps, as: type)
  }

  private func merged(
    _ name: String, _ steps: [TensorEdit], as type: ElementType
  ) throws(TensorSourceError) -> Tensor {
    let tensor = try base.tensor(named: name)
    var shape = tensor.shape
    var weight = kernels.floats(of: tensor)  // [out, in]
    let intermediate = rounding.intermediateType(of: type)
    for step in steps {
      switch step {
      case .replace(let replacement):
        measure(replacement, of: tensor)
        if let rows = replacement.rows {
          let values = kernels.floats(of: replacement.tensor)
          for (position, row) in rows.enumerated() { weight.setRow(row, to: values[position]) }
        } else {
          shape = replacement.tensor.shape
          weight = kernels.floats(of: replacement.tensor)
        }
        if let intermediate { kernels.round(&weight, to: intermediate) }
      case .update(let update):
        update.merge(
          into: &weight, rounding: intermediate, measurements, kernels)
      case .combine(let combined):
        let delta = combined.delta(with: kernels)
        measurements?.record(combined, delta, before: weight, kernels)
        kernels.add(delta, to: &weight)
      case .biasUpdate(let update):
        guard let bias = update.outputBias else { continue }
        kernels.addBias(bias, scale: update.scaling, to: &weight)
      }
    }
    guard weight.isFinite else {
      throw TensorSourceError(
        "'\(name)' overflows when the adapters are merged; a weight of an adapter is too large")
    }
    let result = kernels.tensor(weight, shape: shape, as: type)
    try checkRange(of: result, named: name)
    if type == tensor.elementType, result.hasSameBytes(as: tensor), steps.contains(where: \.isFelt)
    {
      throw TensorSourceError(
        "'\(name)' does not change: every delta is too small for \(type)"
          + (type == .float32 ? "" : ". Merge with --dtype f32"))
    }
    return result
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

  private func measure(_ replacement: TensorReplacement, of tensor: Tensor) {
    measurements?.record(replacement, inPlaceOf: tensor, kernels)
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
