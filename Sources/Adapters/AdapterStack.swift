package import Tensors

/// Adapters in the order in which they were trained on top of each other, each with a weight.
///
/// The base of an adapter is everything before it. For FLARE that means: what comes earlier acts on
/// the source text too, the FLARE adapter itself and what comes later do not.
public struct AdapterStack: Sendable {
  public struct Member: Sendable {
    public let adapter: Adapter
    public let weight: Float

    public init(_ adapter: Adapter, weight: Float = 1) {
      self.adapter = adapter
      self.weight = weight
    }
  }

  /// One adapter with what it does, its weight in the scalings.
  struct Level: Sendable {
    let adapter: Adapter
    let weight: Float
    var updates: [LowRankUpdate]
    var replacements: [TensorReplacement]
    /// Base weights that came along with the adapter and turned out to be the base's own.
    var confirmedBases: [TensorReplacement] = []
    /// Whether it belongs to the base of a FLARE adapter.
    let actsOnSource: Bool
    /// Updates of a tied head that are those of the embeddings over again.
    var joinedUpdates: [LowRankUpdate] = []
    /// Whether its updates of the embeddings are those of the tied head as well.
    var sharesEmbeddingUpdates = false
  }

  var levels: [Level]
  /// Whether a head that is tied to the embeddings has to become a tensor of its own; known once
  /// the stack is fitted to a base.
  public internal(set) var untiesHead = false

  /// - Throws: `AdapterError` when members cannot run together, or a weight is zero, not finite, or
  ///   given to DoRA, whose lengths cannot be scaled.
  public init(_ members: [Member]) throws(AdapterError) {
    let firstFusing = members.firstIndex { $0.adapter.fusion != nil } ?? members.endIndex
    try Self.check(members, firstFusing: firstFusing)
    levels = members.enumerated().map { position, member in
      let actsOnSource = position < firstFusing && !member.adapter.isResidue
      return Level(
        adapter: member.adapter, weight: member.weight,
        updates: member.adapter.updates.map { update in
          var update = update
          update.scaling *= member.weight
          update.actsOnSource = actsOnSource
          update.level = position
          return update
        },
        replacements: member.adapter.replacements.map { replacement in
          var replacement = replacement
          replacement.level = position
          return replacement
        },
        actsOnSource: actsOnSource)
    }
  }

  /// The adapters, in order.
  public var members: [Member] { levels.map { Member($0.adapter, weight: $0.weight) } }

  /// The stack without adapters.
  public static let empty = AdapterStack(levels: [])

  private init(levels: [Level]) { self.levels = levels }

  private static func check(
    _ members: [Member], firstFusing: Int
  ) throws(AdapterError) {
    let fusing = members.filter { $0.adapter.fusion != nil }
    if fusing.count > 1 {
      throw AdapterError(
        .stack, fusing[1].adapter.path,
        "is a FLARE adapter, and so is \(fusing[0].adapter.path); "
          + "each reads the source through another base, so only one can run at a time")
    }
    for (position, member) in members.enumerated() {
      let adapter = member.adapter
      func refuse(_ detail: String) -> AdapterError { AdapterError(.stack, adapter.path, detail) }
      if member.weight == 0 || !member.weight.isFinite {
        throw refuse("has weight \(member.weight), expected a number other than 0")
      }
      let usesDoRA = adapter.updates.contains { $0.magnitude != nil }
      if member.weight != 1, usesDoRA {
        throw refuse("has weight \(member.weight), but the lengths of DoRA cannot be scaled. Use 1")
      }
      if usesDoRA, position > firstFusing {
        throw refuse(
          "uses DoRA behind the FLARE adapter \(members[firstFusing].adapter.path); the length of a "
            + "fused layer is not defined. Put it before")
      }
    }
  }
}

extension AdapterStack {
  private var fusingAdapter: Adapter? { levels.first { $0.adapter.fusion != nil }?.adapter }

  /// How the stack reads a source; nil when no source changes the output.
  public var fusion: FusionFunction? { fusingAdapter?.fusion }

  /// Whether a source changes the output.
  public var readsSource: Bool { fusion != nil }

  /// Whether a position of a fused layer sees others, so that a prompt must be fused whole.
  public var mixesPositions: Bool { fusion?.mixesPositions ?? false }

  /// FLARE-MT's projection; nil when the source is a text that the base reads.
  public var sourceProjection: SourceProjection? { fusingAdapter?.sourceProjection }

  /// Whether reading a source takes a pass of its text through the base.
  public var needsSourcePass: Bool { readsSource && sourceProjection == nil }

  /// How the FLARE adapter pairs source and target.
  public var sourceAlignment: SourceAlignment { fusingAdapter?.sourceAlignment ?? .right }

  /// Whether the source is read with other tensors than the target, because an adapter that does
  /// not act on it replaces some.
  public var replacesBehindSource: Bool {
    needsSourcePass && levels.contains { !$0.actsOnSource && !$0.replacements.isEmpty }
  }

  /// What the adapters replace of the tensors that a source is read with.
  package var sourceReplacements: [Tensor] {
    levels.filter(\.actsOnSource).flatMap { $0.replacements.map(\.tensor) }
  }

  /// What runs in `pass` beside the tensors that the stack replaces, by module, in order.
  public func updates(in pass: ForwardPass) -> [String: [LowRankUpdate]] {
    var updates: [String: [LowRankUpdate]] = [:]
    for edits in edits(in: pass) {
      let behindReplacement = edits.value.lastIndex { $0.replacesWhole }.map { $0 + 1 } ?? 0
      for case .update(let update) in edits.value[behindReplacement...] {
        updates[update.module, default: []].append(update)
      }
    }
    return updates
  }

  /// Everything that acts on each tensor in `pass`.
  func edits(in pass: ForwardPass) -> [String: [TensorEdit]] {
    var edits = TensorEdits()
    for level in levels {
      if pass != .source || level.actsOnSource {
        for replacement in level.replacements { append(replacement, of: level, to: &edits) }
      }
      for update in level.updates { append(update, of: level, to: &edits) }
    }
    return edits.byTensor
  }

  /// What replaces tensors in `pass`, as the edits of a view.
  func replacements(in pass: ForwardPass) -> TensorEdits {
    var edits = TensorEdits()
    edits.untiesHead = untiesHead
    for level in levels where pass != .source || level.actsOnSource {
      for replacement in level.replacements { append(replacement, of: level, to: &edits) }
    }
    return edits
  }

  /// Adds a replacement, to the head too when that was one tensor with the embeddings.
  func append(_ replacement: TensorReplacement, of level: Level, to edits: inout TensorEdits) {
    edits.append(replacement)
    guard untiesHead, replacement.name == ModuleNames.embeddingsWeight,
      level.sharesWithTiedHead(replacement)
    else { return }
    edits.append(replacement.moved(to: ModuleNames.outputHeadWeight))
  }

  /// Adds an update, to the head too when the adapter kept it one with the embeddings.
  func append(_ update: LowRankUpdate, of level: Level, to edits: inout TensorEdits) {
    edits.append(update)
    if level.sharesEmbeddingUpdates, update.isEmbedding {
      edits.append(update.moved(to: ModuleNames.outputHead))
    }
  }
}

extension TensorEdit {
  fileprivate var replacesWhole: Bool {
    if case .replace(let replacement) = self { replacement.rows == nil } else { false }
  }
}
