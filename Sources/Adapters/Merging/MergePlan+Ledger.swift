public import JSON

extension MergePlan {
  /// What becomes of one update or one replacement.
  public enum Disposition: String, Sendable, Hashable {
    case mergedExactly = "merged exactly"
    case mergedTargetHalf = "merged (target half)"
    /// Its delta went into the weights together with those of other adapters.
    case combined = "merged (combined)"
    case keptAtRunTime = "kept at run time"
    /// The delta is in the weights already, from an earlier merge.
    case mergedBefore = "merged before"
    /// A tensor of the base gave way to one of the adapter.
    case replaced
    /// It serves a source, and the merged model reads none.
    case leftOut = "left out"
    /// It says again what the base, or the embeddings that a head is tied to, say already.
    case confirmed = "said already"
  }

  /// One line of the ledger: a module of an adapter, what became of it and why.
  public struct Entry: Sendable {
    public let adapter: String
    /// The module, or the tensor that is replaced.
    public let module: String
    public let disposition: Disposition
    public let reason: String
    /// How many tensors of the adapter's file the line accounts for.
    public let tensorCount: Int
    /// Whether the adapter adds nothing here.
    let isZero: Bool
    /// The place of the adapter in the stack.
    let level: Int
  }
}

extension MergePlan.Entry {
  init(
    _ update: LowRankUpdate, of level: AdapterStack.Level, _ disposition: MergePlan.Disposition,
    readsSource: Bool
  ) {
    self.init(
      adapter: level.adapter.name, module: update.module, disposition: disposition,
      reason: update.reason(for: disposition, readsSource: readsSource),
      tensorCount: update.tensors.count, isZero: update.isZero, level: update.level)
  }

  init(
    _ replacement: TensorReplacement, of level: AdapterStack.Level,
    _ disposition: MergePlan.Disposition
  ) {
    var reason = replacement.origin.rawValue
    if let rows = replacement.rows { reason += ", \(rows.count) rows" }
    if disposition == .keptAtRunTime { reason += "; the source is read without it" }
    if disposition == .confirmed { reason += ", which the base has" }
    self.init(
      adapter: level.adapter.name, module: replacement.name, disposition: disposition,
      reason: reason, tensorCount: replacement.tensorCount, isZero: false,
      level: replacement.level)
  }

  init(_ update: LowRankUpdate, of adapter: Adapter, position: Int, _ method: CombinationMethod) {
    self.init(
      adapter: adapter.name, module: update.module, disposition: .combined, reason: method.name,
      tensorCount: update.tensors.count, isZero: update.isZero, level: position)
  }

  init(projectionOf level: AdapterStack.Level, isKept: Bool) {
    self.init(
      adapter: level.adapter.name, module: "proj",
      disposition: isKept ? .keptAtRunTime : .leftOut,
      reason: "brings the encoder's states to the model", tensorCount: 2, isZero: false, level: -1)
  }

  /// - Parameter change: `‖ΔW‖ / ‖W‖`, once it is known.
  public func json(change: Double? = nil) -> JSONValue {
    var document: JSONObject = [
      "adapter": .string(adapter), "module": .string(module),
      "disposition": .string(disposition.rawValue), "reason": .string(reason),
      "tensors": .integer(tensorCount),
    ]
    if let change, change.isFinite { document["relative_change"] = .number(change) }
    return .object(document)
  }
}

extension LowRankUpdate {
  /// Why the update came to its disposition.
  fileprivate func reason(for disposition: MergePlan.Disposition, readsSource: Bool) -> String {
    if disposition == .mergedBefore { return "an earlier merge" }
    if disposition == .confirmed { return "the head is tied to the embeddings" }
    guard let fusion else {
      if disposition == .keptAtRunTime { return "acts behind a module that is kept" }
      return magnitude == nil ? "plain LoRA" : "DoRA"
    }
    if !readsSource { return "plain LoRA without a source" }
    if disposition == .mergedTargetHalf { return "\(fusion.rawValue): the source half runs" }
    return fusion.isLinear
      ? "acts behind a module that is kept" : "\(fusion.rawValue) needs both texts"
  }
}
