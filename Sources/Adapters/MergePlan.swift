public import JSON

/// What happens to each module of each adapter in a merge, decided before anything is computed.
public struct MergePlan: Sendable {
  /// What becomes of one update.
  public enum Disposition: String, Sendable, Hashable {
    case mergedExactly = "merged exactly"
    case mergedTargetHalf = "merged (target half)"
    case keptAtRunTime = "kept at run time"
    /// The delta is in the weights already, from an earlier merge.
    case mergedBefore = "merged before"
  }

  /// One line of the ledger: a module of an adapter, what became of it and why.
  public struct Entry: Sendable {
    public let adapter: String
    public let module: String
    public let disposition: Disposition
    public let reason: String
  }

  /// One adapter of the merge and what is left of it.
  public struct Part: Sendable {
    public let adapter: Adapter
    /// Modules whose weights contain the adapter, or its target half.
    public let mergedModules: [String]
    /// What has to run beside the merged weights: fused updates, and merged ones that the pass over
    /// the source must take out again; nil when the weights say all.
    public let residue: Adapter?
  }

  /// Every update of every adapter exactly once.
  public let ledger: [Entry]
  /// The updates whose delta goes into the weights, by module, in order.
  public let merged: [String: [LowRankUpdate]]
  /// The adapters in order.
  public let parts: [Part]

  /// Plans the merge of `stack`.
  ///
  /// - Parameter isSourceFree: the result will never see a source text, so q and v of a FLARE
  ///   adapter are plain LoRA and merge exactly.
  public init(_ stack: AdapterStack, isSourceFree: Bool = false) {
    var ledger: [Entry] = []
    var merged: [String: [LowRankUpdate]] = [:]
    var parts: [Part] = []
    let needsSourcePass = stack.readsSource && !isSourceFree

    for level in stack.levels {
      let adapter = level.adapter
      var kept: [LowRankUpdate] = []
      var mergedModules: [String] = []
      for update in level.updates {
        let disposition = Self.disposition(of: update, isSourceFree: isSourceFree)
        ledger.append(
          Entry(
            adapter: adapter.name, module: update.module, disposition: disposition,
            reason: Self.reason(for: update, disposition, isSourceFree: isSourceFree)))
        let isInWeights = disposition != .keptAtRunTime
        if isInWeights { mergedModules.append(update.module) }
        if isInWeights && !update.isInWeights {
          merged[update.module, default: []].append(update)
        }
        if needsSourcePass && !update.actsOnSource {
          kept.append(update.with(isInWeights: isInWeights))
        }
      }
      let residue =
        kept.isEmpty ? nil : Adapter(path: adapter.path, name: adapter.name, residue: kept)
      parts.append(Part(adapter: adapter, mergedModules: mergedModules, residue: residue))
    }
    self.ledger = ledger
    self.merged = merged
    self.parts = parts
  }

  private static func disposition(of update: LowRankUpdate, isSourceFree: Bool) -> Disposition {
    if update.isInWeights { return .mergedBefore }
    guard let fusion = update.fusion, !isSourceFree else { return .mergedExactly }
    // B·(A·s + A·x) = B·A·s + B·A·x: the second term depends on x alone.
    return fusion.isLinear ? .mergedTargetHalf : .keptAtRunTime
  }

  private static func reason(
    for update: LowRankUpdate, _ disposition: Disposition, isSourceFree: Bool
  ) -> String {
    if update.isInWeights { return "an earlier merge" }
    guard let fusion = update.fusion else { return "plain LoRA" }
    if isSourceFree { return "plain LoRA without a source" }
    return switch disposition {
    case .mergedTargetHalf: "\(fusion.rawValue): the source half runs"
    default: "\(fusion.rawValue) needs both texts"
    }
  }
}

extension MergePlan.Entry {
  public var json: JSONValue {
    [
      "adapter": .string(adapter), "module": .string(module),
      "disposition": .string(disposition.rawValue), "reason": .string(reason),
    ]
  }
}
