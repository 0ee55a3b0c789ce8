import Tensors

/// The shapes of a base's tensors while the adapters of a stack are checked one after the other: a
/// vocabulary may grow on the way.
struct ShapesInOrder {
  private let base: any TensorSource
  private let isTied: Bool
  /// Of tensors that were replaced by others.
  private var shapes: [String: Shape] = [:]

  init(_ base: any TensorSource, isTied: Bool) {
    self.base = base
    self.isTied = isTied
  }

  private subscript(name: String) -> Shape? {
    if let shape = shapes[name] { return shape }
    let isHead = isTied && name == ModuleNames.outputHeadWeight
    return isHead ? self[ModuleNames.embeddingsWeight] : base.info(named: name)?.shape
  }

  /// - Throws: `AdapterError` when the base has no such module, or one of another shape.
  func check(_ update: LowRankUpdate, of adapter: Adapter) throws(AdapterError) {
    guard let shape = self[update.module + ".weight"] else {
      throw AdapterError(
        .baseMismatch, adapter.path,
        "adapts '\(update.module)', which the base does not have. "
          + "The adapter was made for another model")
    }
    let expected: Shape = [update.loraB.shape[0], update.loraA.shape[1]]
    guard shape == expected else {
      throw AdapterError(
        .baseMismatch, adapter.path,
        "adapts '\(update.module)' as \(expected), the base weight is \(shape). "
          + "The adapter was made for another model")
    }
  }

  /// Checks a replacement, and takes its shape over.
  ///
  /// - Throws: `AdapterError` when the base has no such tensor, or one that it cannot replace.
  mutating func apply(
    _ replacement: TensorReplacement, of level: AdapterStack.Level
  ) throws(AdapterError) {
    let (name, shape) = (replacement.name, replacement.tensor.shape)
    func refuse(_ detail: String) -> AdapterError {
      AdapterError(.baseMismatch, level.adapter.path, detail)
    }
    guard let current = self[name] else {
      throw refuse(
        "brings '\(name)', which the base does not have. The adapter was made for another model")
    }
    if let rows = replacement.rows {
      guard current.rank == 2, shape[1] == current[1] else {
        throw refuse("brings rows of \(shape[1]) for '\(name)', which is \(current)")
      }
      guard let row = rows.first(where: { !(0..<current[0]).contains($0) }) else { return }
      throw refuse("brings row \(row) of '\(name)', which has \(current[0]) rows")
    }
    let mayGrow = [ModuleNames.embeddingsWeight, ModuleNames.outputHeadWeight].contains(name)
    guard
      shape == current || mayGrow && shape.rank == 2 && shape[1] == current[1] && shape[0] > 0
    else {
      throw refuse(
        "brings '\(name)' as \(shape), the base has \(current). "
          + "The adapter was made for another model")
    }
    if isTied, name == ModuleNames.embeddingsWeight, !level.sharesWithTiedHead(replacement) {
      // The head stays what it was.
      shapes[ModuleNames.outputHeadWeight] = self[ModuleNames.outputHeadWeight]
    }
    shapes[name] = shape
  }
}
