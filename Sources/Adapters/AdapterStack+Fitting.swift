public import Kernels
public import Tensors

extension AdapterStack {
  /// The stack with all that depends on the base decided, after checking that it was made for it.
  ///
  /// - Parameters:
  ///   - base: the model's tensors before any adapter.
  ///   - isTied: whether its head is the embeddings.
  /// - Throws: `AdapterError` when a module is not in the base, has another shape there, or the
  ///   adapter targets modules of the base that it has no tensors for.
  public func fitted(
    to base: any TensorSource, isTied: Bool, with kernels: Kernels
  ) throws -> AdapterStack {
    var stack = self
    for position in levels.indices {
      try stack.levels[position].confirmBases(of: base, isTied: isTied, with: kernels)
      if isTied { try stack.levels[position].joinTied(with: kernels) }
    }
    stack.untiesHead = isTied && stack.levels.contains(where: \.partsHeadFromEmbeddings)
    try stack.checkWeights()
    try stack.checkOrder()
    var shapes = ShapesInOrder(base, isTied: isTied)
    for level in stack.levels {
      for replacement in level.replacements {
        try shapes.apply(replacement, of: level)
      }
      for update in level.updates { try shapes.check(update, of: level.adapter) }
    }
    try stack.checkProjection(for: base)
    let adapted = MergedTensors(base, stack.replacements(in: .target), with: kernels)
    try stack.checkVocabulary(of: adapted, isTied: isTied)
    for level in stack.levels {
      try Self.checkCoverage(of: adapted, by: level.adapter, isTied: isTied)
    }
    return stack
  }

  /// Refuses a weight for an adapter that brings whole tensors.
  private func checkWeights() throws(AdapterError) {
    for level in levels where level.weight != 1 {
      guard let replacement = level.replacements.first else { continue }
      throw AdapterError(
        .stack, level.adapter.path,
        "has weight \(level.weight), but brings '\(replacement.name)' whole, which a weight cannot "
          + "scale. Use 1")
    }
  }

  /// Refuses an order of adapters in which running and merging would not be the same.
  ///
  /// A merge takes the steps of each tensor in order. At run time replacements come first, and what
  /// is added after them; only an update before a whole weight is known to be lost.
  private func checkOrder() throws(AdapterError) {
    for (name, steps) in edits(in: .target).sorted(by: { $0.key < $1.key }) {
      var isAddedTo = false
      for step in steps {
        guard case .replace(let replacement) = step else {
          isAddedTo = true
          continue
        }
        let losesUpdates = replacement.rows == nil && !name.hasSuffix(".bias")
        guard !isAddedTo || losesUpdates else {
          let part = replacement.rows == nil ? "" : "rows of "
          throw AdapterError(
            .stack, levels[replacement.level].adapter.path,
            "brings \(part)'\(name)' behind an adapter that adds to it. Merge that one into the base "
              + "first")
        }
        isAddedTo = false
      }
    }
  }

  /// Checks that FLARE-MT's projection leads to states of the base's width.
  private func checkProjection(for base: any TensorSource) throws(AdapterError) {
    for level in levels {
      guard let projection = level.adapter.sourceProjection,
        let hiddenSize = base.info(named: ModuleNames.embeddingsWeight)?.shape.extents.last,
        projection.weight.shape[0] != hiddenSize
      else { continue }
      throw AdapterError(
        .baseMismatch, level.adapter.path,
        "'proj.weight' is \(projection.weight.shape), the base has hidden states of \(hiddenSize). "
          + "The adapter was made for another model")
    }
  }

  /// Checks that embeddings and head are for the same tokens.
  private func checkVocabulary(
    of adapted: any TensorSource, isTied: Bool
  ) throws(AdapterError) {
    func rowCount(_ name: String) -> Int? { adapted.info(named: name)?.shape.extents.first }
    guard !isTied || untiesHead,
      let embeddings = rowCount(ModuleNames.embeddingsWeight),
      let head = rowCount(ModuleNames.outputHeadWeight), embeddings != head,
      let adapter = levels.last(where: { !$0.replacements.isEmpty })?.adapter
    else { return }
    throw AdapterError(
      .baseMismatch, adapter.path,
      "leaves embeddings for \(embeddings) tokens and a head for \(head): the vocabulary was "
        + "resized, and only one of the two was saved. Save both with 'modules_to_save'")
  }

  private static func checkCoverage(
    of base: some TensorSource, by adapter: Adapter, isTied: Bool
  ) throws(AdapterError) {
    guard let configuration = adapter.configuration else { return }
    let covered = Set(adapter.updates.map(\.module))
    for info in base.tensorInfos
    where info.shape.rank == 2 && info.name.hasSuffix(".weight") {
      let module = String(info.name.dropLast(".weight".count))
      // A head of its own is not adapted because the embeddings are.
      if !isTied, adapter.keepsWeightTying, module == ModuleNames.outputHead { continue }
      guard covered.contains(module) || !configuration.targets(module) else {
        throw AdapterError(
          .baseMismatch, adapter.path,
          "has no tensors for '\(module)', which its target_modules name. "
            + "The adapter was made for another model, or its file is incomplete")
      }
    }
  }
}

extension AdapterStack.Level {
  /// Sets aside the base weights that came along and are the base's own.
  fileprivate mutating func confirmBases(
    of base: any TensorSource, isTied: Bool, with kernels: Kernels
  ) throws {
    for replacement in replacements where replacement.origin == .savedBase {
      let name =
        isTied && replacement.name == ModuleNames.outputHeadWeight
        ? ModuleNames.embeddingsWeight : replacement.name
      guard let info = base.info(named: name), info.elementType.isComputable,
        kernels.areEqual(replacement.tensor, try base.tensor(named: name))
      else { continue }
      confirmedBases.append(replacement)
    }
    let confirmed = Set(confirmedBases.map(\.name))
    replacements.removeAll { $0.origin == .savedBase && confirmed.contains($0.name) }
  }

  /// Draws together what the level does to embeddings and head alike, which are one tensor.
  fileprivate mutating func joinTied(with kernels: Kernels) throws {
    let shared = replacements.filter {
      $0.name == ModuleNames.embeddingsWeight
        && ($0.isSharedWithTiedHead || adapter.keepsWeightTying)
    }
    let twins = replacements.filter { head in
      head.name == ModuleNames.outputHeadWeight
        && shared.contains { $0.rows == head.rows && kernels.areEqual($0.tensor, head.tensor) }
    }
    confirmedBases += twins
    replacements.removeAll { head in
      head.name == ModuleNames.outputHeadWeight && twins.contains { $0.rows == head.rows }
    }
    guard adapter.keepsWeightTying, let embedding = updates.first(where: \.isEmbedding) else {
      return
    }
    guard embedding.magnitude == nil else {
      throw AdapterError(
        .unsupported, adapter.path,
        "uses DoRA on embeddings that are tied to the head ('ensure_weight_tying'); its lengths are "
          + "others for each of the two, so they cannot stay one")
    }
    sharesEmbeddingUpdates = true
    guard let head = updates.first(where: { $0.module == ModuleNames.outputHead }) else { return }
    guard kernels.areEqual(head.loraA, embedding.loraA),
      kernels.areEqual(head.loraB, embedding.loraB), head.scaling == embedding.scaling
    else {
      throw AdapterError(
        .tensors, adapter.path,
        "'ensure_weight_tying' is true, but its updates of embeddings and head differ")
    }
    joinedUpdates.append(head)
    updates.removeAll { $0.module == ModuleNames.outputHead }
  }

  /// Whether the level does something to embeddings or head that it does not do to the other.
  fileprivate var partsHeadFromEmbeddings: Bool {
    updates.contains {
      $0.module == ModuleNames.outputHead || $0.isEmbedding && !sharesEmbeddingUpdates
    }
      || replacements.contains {
        $0.module == ModuleNames.outputHead
          || $0.module == ModuleNames.embeddings && !sharesWithTiedHead($0)
      }
  }
}

extension AdapterStack.Level {
  /// Whether a head that is tied to the embeddings changes with them.
  func sharesWithTiedHead(_ replacement: TensorReplacement) -> Bool {
    if adapter.keepsWeightTying { return true }
    // A head with trained tokens of its own has no others.
    let hasOwnRows = replacements.contains {
      $0.name == ModuleNames.outputHeadWeight && $0.origin == replacement.origin
    }
    return replacement.isSharedWithTiedHead && !hasOwnRows
  }
}

extension AdapterStack {
  /// The adapters without base weights that came along and are those of the base that the stack was
  /// fitted to.
  package var withoutConfirmedBases: [Adapter] {
    levels.map { level in
      level.adapter.keeping(
        level.adapter.replacements.filter { replacement in
          !level.confirmedBases.contains {
            $0.name == replacement.name && $0.rows == replacement.rows
          }
        })
    }
  }
}

extension Adapter {
  fileprivate func keeping(_ replacements: [TensorReplacement]) -> Adapter {
    Adapter(
      path: path, name: name, form: form, fusion: fusion, updates: updates,
      replacements: replacements, sourceProjection: sourceProjection,
      sourceAlignment: sourceAlignment, baseModelName: baseModelName, notes: notes,
      keepsWeightTying: keepsWeightTying, configuration: configuration)
  }
}
