import Tensors

/// One step on the way from a tensor of the base to that of the adapted model.
enum TensorEdit: Sendable {
  /// `W + scaling · B · A`, and DoRA's lengths where the update has them.
  case update(LowRankUpdate)
  /// `bias + scaling · bias of B`.
  case biasUpdate(LowRankUpdate)
  case replace(TensorReplacement)
  /// `W +` what the deltas of several adapters come to.
  case combine(CombinedUpdate)
}

/// What adapters do to the tensors of a base, in order.
struct TensorEdits: Sendable {
  /// By tensor of the checkpoint, `model.layers.0.self_attn.q_proj.weight`.
  private(set) var byTensor: [String: [TensorEdit]] = [:]
  /// Whether a head that is tied to the embeddings becomes a tensor of its own.
  var untiesHead = false

  mutating func append(_ replacement: TensorReplacement) {
    byTensor[replacement.name, default: []].append(.replace(replacement))
  }

  mutating func append(_ combined: CombinedUpdate) {
    byTensor["\(combined.module).weight", default: []].append(.combine(combined))
  }

  mutating func append(_ update: LowRankUpdate) {
    byTensor["\(update.module).weight", default: []].append(.update(update))
    if update.outputBias != nil {
      byTensor["\(update.module).bias", default: []].append(.biasUpdate(update))
    }
  }

  /// The type that holds a tensor behind its replacements without rounding any.
  func exactType(of info: TensorInfo) -> ElementType {
    var type = info.elementType
    for case .replace(let replacement) in byTensor[info.name] ?? [] {
      let own = replacement.tensor.elementType
      type = replacement.rows == nil || own == type ? own : .float32
    }
    return type
  }
}
