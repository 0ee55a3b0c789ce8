public import Kernels
public import Tensors

/// Adapters in the order in which they were trained on top of each other, each with a weight.
///
/// The base of a FLARE adapter is everything before it: what comes earlier acts on the source text
/// too, the FLARE adapter itself and what comes later do not.
public struct AdapterStack: Sendable {
  public struct Member: Sendable {
    public let adapter: Adapter
    public let weight: Float

    public init(_ adapter: Adapter, weight: Float = 1) {
      self.adapter = adapter
      self.weight = weight
    }
  }

  /// One adapter with what it adds, its weight in the scalings.
  struct Level: Sendable {
    let adapter: Adapter
    let updates: [LowRankUpdate]
  }

  let levels: [Level]

  /// - Throws: `AdapterError` when two members fuse a source, or a weight is zero or not finite.
  public init(_ members: [Member]) throws(AdapterError) {
    let fusing = members.filter { $0.adapter.fusion != nil }
    if fusing.count > 1 {
      throw AdapterError(
        .stack, fusing[1].adapter.path,
        "is a FLARE adapter, and so is \(fusing[0].adapter.path); "
          + "each reads the source through another base, so only one can run at a time")
    }
    for member in members where member.weight == 0 || !member.weight.isFinite {
      throw AdapterError(
        .stack, member.adapter.path, "has weight \(member.weight), expected a number other than 0")
    }
    let firstFusing = members.firstIndex { $0.adapter.fusion != nil } ?? members.endIndex
    levels = members.enumerated().map { position, member in
      let actsOnSource = position < firstFusing && !member.adapter.isResidue
      return Level(
        adapter: member.adapter,
        updates: member.adapter.updates.map {
          $0.with(scaling: $0.scaling * member.weight, actsOnSource: actsOnSource)
        })
    }
  }

  /// The stack without adapters.
  public static let empty = AdapterStack(levels: [])

  private init(levels: [Level]) { self.levels = levels }

  /// Whether a source text changes the output.
  public var readsSource: Bool { levels.contains { $0.adapter.fusion != nil } }

  /// The updates of each module, in the order in which they apply.
  public var updatesByModule: [String: [LowRankUpdate]] {
    Dictionary(grouping: levels.flatMap(\.updates), by: \.module)
  }

  /// Checks that the adapters were made for `base`.
  ///
  /// - Throws: `AdapterError` when a module is not in the base, has another shape there, or the
  ///   adapter targets modules of the base that it has no tensors for.
  public func check(against base: some TensorSource, with kernels: Kernels) throws {
    for level in levels {
      for update in level.updates { try Self.check(update, of: level.adapter, against: base) }
      for (module, saved) in level.adapter.savedBases {
        let weight = try base.tensor(named: module + ".weight")
        guard kernels.areEqual(saved, weight) else {
          throw AdapterError(
            .baseMismatch, level.adapter.path,
            "brings a base weight of '\(module)' that differs from the base's. It was resized or "
              + "trained along, which is not supported")
        }
      }
      try Self.checkCoverage(of: base, by: level.adapter)
    }
  }

  private static func check(
    _ update: LowRankUpdate, of adapter: Adapter, against base: some TensorSource
  ) throws(AdapterError) {
    guard let weight = base.info(named: update.module + ".weight") else {
      throw AdapterError(
        .baseMismatch, adapter.path,
        "adapts '\(update.module)', which the base does not have. "
          + "The adapter was made for another model")
    }
    let expected: Shape = [update.loraB.shape[0], update.loraA.shape[1]]
    guard weight.shape == expected else {
      throw AdapterError(
        .baseMismatch, adapter.path,
        "adapts '\(update.module)' as \(expected), the base weight is \(weight.shape). "
          + "The adapter was made for another model")
    }
  }

  private static func checkCoverage(
    of base: some TensorSource, by adapter: Adapter
  ) throws(AdapterError) {
    guard let configuration = adapter.configuration else { return }
    let covered = Set(adapter.updates.map(\.module))
    for info in base.tensorInfos
    where info.shape.rank == 2 && info.name.hasSuffix(".weight") {
      let module = String(info.name.dropLast(".weight".count))
      guard covered.contains(module) || !configuration.targets(module) else {
        throw AdapterError(
          .baseMismatch, adapter.path,
          "has no tensors for '\(module)', which its target_modules name. "
            + "The adapter was made for another model, or its file is incomplete")
      }
    }
  }
}
