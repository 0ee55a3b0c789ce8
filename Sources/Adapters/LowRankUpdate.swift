public import Tensors

/// What one adapter adds to one linear layer: `scaling · B · A · x`, fused with a source or not.
public struct LowRankUpdate: Sendable {
  /// The layer as the checkpoint names it, without `.weight`: `model.layers.0.self_attn.q_proj`.
  public let module: String
  /// Float32 `[r, in]`.
  public let loraA: Tensor
  /// Float32 `[out, r]`.
  public let loraB: Tensor
  /// `alpha / r`, or `alpha / √r` with rsLoRA, times the weight that the caller gave the adapter.
  public let scaling: Float
  /// How a source joins in; nil for plain LoRA.
  public let fusion: FusionFunction?
  /// Whether a merge has already put `scaling · B · A` into the base weight.
  public let isInWeights: Bool
  /// Whether the update belongs to the base that a FLARE adapter was trained on, so that it acts in
  /// the pass over the source text too.
  public let actsOnSource: Bool

  package init(
    module: String, loraA: Tensor, loraB: Tensor, scaling: Float, fusion: FusionFunction?,
    isInWeights: Bool, actsOnSource: Bool
  ) {
    self.module = module
    self.loraA = loraA
    self.loraB = loraB
    self.scaling = scaling
    self.fusion = fusion
    self.isInWeights = isInWeights
    self.actsOnSource = actsOnSource
  }

  public var rank: Int { loraA.shape[0] }

  /// Whether the update adds nothing, as in an adapter that was never trained.
  var isZero: Bool { loraA.isAllZero || loraB.isAllZero }

  /// The same update with some of its circumstances changed.
  func with(
    scaling: Float? = nil, fusion: FusionFunction?? = nil, isInWeights: Bool? = nil,
    actsOnSource: Bool? = nil
  ) -> LowRankUpdate {
    LowRankUpdate(
      module: module, loraA: loraA, loraB: loraB, scaling: scaling ?? self.scaling,
      fusion: fusion ?? self.fusion, isInWeights: isInWeights ?? self.isInWeights,
      actsOnSource: actsOnSource ?? self.actsOnSource)
  }
}

/// Which text a model is reading.
public enum ForwardPass: Sendable, Hashable {
  /// No source is given: FLARE's q and v are plain LoRA.
  case withoutSource
  /// The source text, through the base that the FLARE adapter was trained on.
  case source
  /// The target text, with the source's states at hand.
  case target
}

extension LowRankUpdate {
  /// What has to be added to `W · x` at run time.
  public enum Term: Sendable, Hashable {
    /// `sign · scaling · B · A · x`
    case delta(sign: Float)
    /// `scaling · B · φ(A · s, A · x)`
    case fused(FusionFunction)
    /// `scaling · B · A · s`: the rest of `add` whose target half is in the weights
    case sourceHalf
  }

  /// The term of this update in `pass`, or nil when the weights already say all.
  ///
  /// A merged delta is in the weights for every pass, but the source must be read by the base
  /// *without* the FLARE adapter: there it is taken out again, which costs as little as adding it.
  public func term(in pass: ForwardPass) -> Term? {
    switch pass {
    case .source:
      if actsOnSource { return isInWeights ? nil : .delta(sign: 1) }
      return isInWeights ? .delta(sign: -1) : nil
    case .target:
      guard let fusion else { fallthrough }
      return isInWeights ? .sourceHalf : .fused(fusion)
    case .withoutSource:
      return isInWeights ? nil : .delta(sign: 1)
    }
  }
}
