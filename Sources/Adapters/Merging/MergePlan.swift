/// What happens to each module of each adapter in a merge, decided before anything is computed.
public struct MergePlan: Sendable {
  /// One adapter of the merge and what is left of it.
  public struct Part: Sendable {
    public let adapter: Adapter
    /// Modules whose weights contain the adapter, or its target half, and tensors that it replaced.
    public let mergedModules: [String]
    /// What has to run beside the merged weights: fused updates, and merged ones that the pass over
    /// the source must take out again; nil when the weights say all.
    public let residue: Adapter?
  }

  /// Every update and every replacement of every adapter exactly once.
  public private(set) var ledger: [Entry] = []
  /// The adapters in order.
  public private(set) var parts: [Part] = []
  /// What is done to the tensors of the base.
  private(set) var edits = TensorEdits()
  /// Whether the head, which was the embeddings, becomes a tensor of its own.
  public var untiesHead: Bool { edits.untiesHead }

  /// Tensors that are replaced at run time, so that what is added behind must wait as well.
  private var blocked: Set<String> = []

  /// Plans the merge of `stack`.
  ///
  /// - Parameters:
  ///   - stack: fitted to the base, unless the plan is for reading only.
  ///   - isSourceFree: the result will never see a source text, so q and v of a FLARE adapter are
  ///     plain LoRA and merge exactly.
  ///   - sourceAlignment: what the residue of a FLARE adapter records; nil for what the adapter says.
  public init(
    _ stack: AdapterStack, isSourceFree: Bool = false, sourceAlignment: SourceAlignment? = nil
  ) {
    edits.untiesHead = stack.untiesHead
    let readsSource = stack.readsSource && !isSourceFree
    let needsSourcePass = stack.needsSourcePass && !isSourceFree
    for level in stack.levels {
      // The source is read by the base without this level.
      let isOffForSource = needsSourcePass && !level.actsOnSource
      var mergedModules: [String] = []
      ledger += level.confirmedBases.map { Entry($0, of: level, .confirmed) }
      ledger += level.joinedUpdates.map { Entry($0, of: level, .confirmed, readsSource: false) }

      var keptReplacements: [TensorReplacement] = []
      for replacement in level.replacements {
        let disposition: Disposition = isOffForSource ? .keptAtRunTime : .replaced
        ledger.append(Entry(replacement, of: level, disposition))
        if isOffForSource {
          keptReplacements.append(replacement)
          blocked.insert(replacement.name)
        } else {
          stack.append(replacement, of: level, to: &edits)
          mergedModules.append(replacement.name)
        }
      }

      var keptUpdates: [LowRankUpdate] = []
      for var update in level.updates {
        let disposition = disposition(of: update, readsSource: readsSource)
        ledger.append(Entry(update, of: level, disposition, readsSource: readsSource))
        let wasInWeights = update.isInWeights
        update.isInWeights = disposition != .keptAtRunTime
        if update.isInWeights {
          mergedModules.append(update.module)
          if !wasInWeights { stack.append(update, of: level, to: &edits) }
        }
        if !update.isInWeights || isOffForSource || readsSource && update.fusion != nil {
          keptUpdates.append(update)
        }
      }
      let keepsProjection = readsSource && level.adapter.sourceProjection != nil
      if level.adapter.sourceProjection != nil {
        ledger.append(Entry(projectionOf: level, isKept: keepsProjection))
      }
      parts.append(
        Part(
          adapter: level.adapter, mergedModules: mergedModules,
          residue: keptUpdates.isEmpty && keptReplacements.isEmpty
            ? nil
            : level.adapter.residue(
              keptUpdates, keptReplacements, keepsProjection: keepsProjection,
              alignment: sourceAlignment)))
    }
  }

  /// Plans the merge of adapters as one.
  ///
  /// - Parameter stack: the same adapters, fitted to the base.
  public init(_ combination: AdapterCombination, fitted stack: AdapterStack) {
    edits.untiesHead = stack.untiesHead
    for (position, member) in combination.members.enumerated() {
      let adapter = member.adapter
      ledger += adapter.updates.map {
        Entry($0, of: adapter, position: position, combination.method)
      }
      parts.append(
        Part(adapter: adapter, mergedModules: adapter.updates.map(\.module), residue: nil))
    }
    for update in combination.updates { edits.append(update) }
  }

  private func disposition(of update: LowRankUpdate, readsSource: Bool) -> Disposition {
    if update.isInWeights { return .mergedBefore }
    let isBiasBlocked = update.outputBias != nil && blocked.contains("\(update.module).bias")
    if isBiasBlocked || blocked.contains("\(update.module).weight") { return .keptAtRunTime }
    guard let fusion = update.fusion, readsSource else { return .mergedExactly }
    // B·(A·s + A·x) = B·A·s + B·A·x: the second term depends on x alone.
    return fusion.isLinear ? .mergedTargetHalf : .keptAtRunTime
  }
}

extension Adapter {
  /// What is left of the adapter.
  fileprivate func residue(
    _ updates: [LowRankUpdate], _ replacements: [TensorReplacement], keepsProjection: Bool,
    alignment: SourceAlignment?
  ) -> Adapter {
    Adapter(
      path: path, name: name, form: .residue,
      fusion: updates.lazy.compactMap(\.fusion).first, updates: updates,
      replacements: replacements,
      sourceProjection: keepsProjection ? sourceProjection : nil,
      sourceAlignment: alignment ?? sourceAlignment, keepsWeightTying: keepsWeightTying)
  }
}
