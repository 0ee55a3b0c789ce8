public import Kernels
public import Tensors

/// A base with adapters merged into it, computed tensor by tensor when asked for.
///
/// `W' = W + Σ scaling · B · A`, summed in float32 and rounded once. Every other tensor is the base's
/// own, converted only when another element type is asked for.
public struct MergedTensors: TensorSource {
  private let base: any TensorSource
  private let updates: [String: [LowRankUpdate]]
  private let elementType: @Sendable (TensorInfo) -> ElementType
  private let kernels: Kernels

  /// - Parameters:
  ///   - plan: what to merge; its adapters have been checked against `base`.
  ///   - elementType: float32, float16 or bfloat16 for a float vector or matrix of the base.
  public init(
    _ base: any TensorSource, _ plan: MergePlan, with kernels: Kernels,
    elementType: @escaping @Sendable (TensorInfo) -> ElementType = { $0.elementType }
  ) {
    self.base = base
    updates = Dictionary(
      uniqueKeysWithValues: plan.merged.map { ($0.key + ".weight", $0.value) })
    self.elementType = elementType
    self.kernels = kernels
  }

  public var tensorInfos: [TensorInfo] { base.tensorInfos.map(converted) }

  public func info(named name: String) -> TensorInfo? { base.info(named: name).map(converted) }

  public func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    let tensor = try base.tensor(named: name)
    let type = converted(
      TensorInfo(name: name, shape: tensor.shape, elementType: tensor.elementType)
    ).elementType
    let updates = updates[name] ?? []
    if updates.isEmpty && type == tensor.elementType { return tensor }
    guard updates.isEmpty || !tensor.elementType.isGrouped else {
      throw TensorSourceError(
        "'\(name)' is \(tensor.elementType): an adapter merges into float weights only. "
          + "Merge into the unquantized model, then quantize")
    }
    var weight = kernels.floats(of: tensor)  // [out, in]
    for update in updates {
      kernels.addProduct(update.loraB, update.loraA, scale: update.scaling, to: &weight)
    }
    guard updates.isEmpty || weight.isFinite else {
      throw TensorSourceError(
        "'\(name)' overflows when the adapters are merged; a weight of an adapter is too large")
    }
    let result = kernels.tensor(weight, shape: tensor.shape, as: type)
    try check(result, named: name, from: tensor, updates)
    return result
  }

  /// Refuses a result in which rounding lost everything: values that overflow, or all deltas.
  private func check(
    _ result: Tensor, named name: String, from tensor: Tensor, _ updates: [LowRankUpdate]
  ) throws(TensorSourceError) {
    // float16 ends at 65504; the other types reach as far as float32.
    if result.elementType == .float16, !kernels.floats(of: result).isFinite {
      throw TensorSourceError(
        "'\(name)' has values that F16 cannot hold. Write it with --dtype bf16 or f32")
    }
    if result.elementType == tensor.elementType, result.hasSameBytes(as: tensor),
      updates.contains(where: { !$0.isZero })
    {
      throw TensorSourceError(
        "'\(name)' does not change: every delta is too small for \(result.elementType)"
          + (result.elementType == .float32 ? "" : ". Merge with --dtype f32"))
    }
  }

  private func converted(_ info: TensorInfo) -> TensorInfo {
    guard info.elementType.isComputable, 1...2 ~= info.shape.rank else { return info }
    return TensorInfo(name: info.name, shape: info.shape, elementType: elementType(info))
  }
}
