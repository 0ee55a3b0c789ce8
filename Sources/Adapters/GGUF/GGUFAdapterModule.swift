public import Tensors

/// A low-rank update as a GGUF adapter can hold it, in Hugging Face's terms.
///
/// For a linear layer it adds `scaling · B · A`. For `model.embed_tokens`, a table of rows and no
/// product, it adds `scaling · (B · A)ᵀ`, where PEFT calls A and B `lora_embedding_A` and `_B`.
public struct GGUFAdapterModule: Sendable {
  /// As Hugging Face names it, without `.weight`: `model.layers.0.self_attn.q_proj`.
  public let module: String
  /// Float32 `[r, in]`; `[r, vocabulary]` for the embedding.
  public let loraA: Tensor
  /// Float32 `[out, r]`; `[hidden, r]` for the embedding.
  public let loraB: Tensor
  public let scaling: Float

  public init(module: String, loraA: Tensor, loraB: Tensor, scaling: Float) {
    self.module = module
    self.loraA = loraA
    self.loraB = loraB
    self.scaling = scaling
  }

  /// Whether the update is no zero, as that of an adapter which was never trained.
  var changesSomething: Bool { scaling != 0 && !loraA.isAllZero && !loraB.isAllZero }
}

/// How many heads the rows of q and k are.
public struct AttentionHeadCounts: Sendable, Hashable {
  public let query: Int
  public let keyValue: Int

  public init(query: Int, keyValue: Int) {
    self.query = query
    self.keyValue = keyValue
  }

  /// The heads among which the rows of a module are shared; nil when they are not permuted.
  func permuted(
    _ role: GGUFModuleName.Role, in architecture: GGUFArchitecture
  ) -> Int? {
    guard architecture.interleavesRotaryRows else { return nil }
    return switch role {
    case .query: query
    case .key: keyValue
    case .linear, .embedding, .norm: nil
    }
  }
}
