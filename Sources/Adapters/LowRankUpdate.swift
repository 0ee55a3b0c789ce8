public import Tensors

/// What one adapter adds to one layer: `scaling · (B · A · x + bias)`, fused with a source or not,
/// and with DoRA a new length for each row of the weight.
///
/// An embedding is a layer too, whose weight `[vocabulary, hidden]` is read by rows: there `loraB`
/// is `[vocabulary, r]` and `loraA` `[r, hidden]`, so that the delta of every weight is `B · A`.
public struct LowRankUpdate: Sendable {
  /// The layer as the checkpoint names it, without `.weight`: `model.layers.0.self_attn.q_proj`.
  public let module: String
  /// Float32 `[r, in]`.
  public let loraA: Tensor
  /// Float32 `[out, r]`.
  public let loraB: Tensor
  /// Float32 `[out]`, from `lora_bias`: added to `B · A · x` before the scaling.
  public let outputBias: Tensor?
  /// DoRA's length of each row of the weight, float32 `[out]`; of each column of an embedding.
  public let magnitude: Tensor?
  /// The weights of FLARE's `cross-attention`; nil for all other functions.
  public let crossAttention: CrossAttention?
  /// `alpha / r`, or `alpha / √r` with rsLoRA, times the weight that the caller gave the adapter.
  public package(set) var scaling: Float
  /// How a source joins in; nil for plain LoRA.
  public package(set) var fusion: FusionFunction?
  /// Whether a merge has already put `scaling · B · A` into the base weight.
  public package(set) var isInWeights: Bool
  /// Whether the update belongs to the base that a FLARE adapter was trained on, so that it acts in
  /// the pass over the source text too.
  public package(set) var actsOnSource: Bool
  /// The place of its adapter in the stack.
  package var level = 0

  package init(
    module: String, loraA: Tensor, loraB: Tensor, outputBias: Tensor? = nil,
    magnitude: Tensor? = nil, crossAttention: CrossAttention? = nil, scaling: Float,
    fusion: FusionFunction? = nil, isInWeights: Bool = false, actsOnSource: Bool = false
  ) {
    self.module = module
    self.loraA = loraA
    self.loraB = loraB
    self.outputBias = outputBias
    self.magnitude = magnitude
    self.crossAttention = crossAttention
    self.scaling = scaling
    self.fusion = fusion
    self.isInWeights = isInWeights
    self.actsOnSource = actsOnSource
  }

  /// The same update of another module.
  func moved(to module: String) -> LowRankUpdate {
    var moved = LowRankUpdate(
      module: module, loraA: loraA, loraB: loraB, outputBias: outputBias, magnitude: magnitude,
      crossAttention: crossAttention, scaling: scaling, fusion: fusion, isInWeights: isInWeights,
      actsOnSource: actsOnSource)
    moved.level = level
    return moved
  }

  public var rank: Int { loraA.shape[0] }

  /// How many numbers the update has.
  public var parameterCount: Int { tensors.reduce(0) { $0 + $1.tensor.shape.elementCount } }

  /// Whether `B · A` is zero, as in a module that was never trained.
  var isZero: Bool {
    (loraA.isAllZero || loraB.isAllZero) && (outputBias?.isAllZero ?? true) && magnitude == nil
  }

  /// The tensors of the update with the names that PEFT gives their kinds.
  package var tensors: [(kind: AdapterTensorName.Kind, tensor: Tensor)] {
    var tensors: [(AdapterTensorName.Kind, Tensor)] = [(.loraA, loraA), (.loraB, loraB)]
    if let outputBias { tensors.append((.loraBBias, outputBias)) }
    if let magnitude { tensors.append((.magnitude, magnitude)) }
    if let crossAttention {
      tensors += crossAttention.tensors.map { (.crossAttention($0.name), $0.tensor) }
    }
    return tensors
  }
}

/// Which text a model is reading.
public enum ForwardPass: Sendable, Hashable, CaseIterable {
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
