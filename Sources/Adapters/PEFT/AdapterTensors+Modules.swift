import Kernels
import OrderedCollections
import Tensors

// What the tensors of one module are together.
extension AdapterTensors {
  /// The low-rank update of `module`, or nil when its tensors only replace some of the base.
  ///
  /// - Parameters:
  ///   - scaling: of that module, given the rank that its tensors have.
  ///   - usesDoRA: whether the configuration says that rows have a length of their own.
  ///   - fusion: how a source joins in.
  ///   - headCount: of `cross-attention`.
  /// - Throws: `AdapterError` when half of a pair is missing, the two do not fit, or a tensor is
  ///   there that the configuration knows nothing of.
  func update(
    of module: String, scaling: (_ rank: Int) throws -> Float, usesDoRA: Bool = false,
    hasBias: Bool = false, fusion: FusionFunction? = nil, headCount: Int = 1
  ) throws -> LowRankUpdate? {
    guard let tensors = modules[module] else { return nil }
    let (loraA, loraB): (Tensor, Tensor)
    let isEmbedding = tensors[.embeddingA] != nil || tensors[.embeddingB] != nil
    if isEmbedding {
      let pair = try pair(
        of: module, .embeddingA, .embeddingB, names: ("lora_embedding_A", "lora_embedding_B"))
      // Turned around: an embedding's weight is [vocabulary, hidden], its delta (B · A)ᵀ.
      (loraA, loraB) = (pair.b.transposed, pair.a.transposed)
    } else if tensors[.loraA] != nil || tensors[.loraB] != nil {
      (loraA, loraB) = try pair(of: module, .loraA, .loraB, names: ("lora_A", "lora_B"))
    } else {
      for kind in [Kind.loraBBias, .magnitude] {
        if let stray = tensors[kind] {
          throw refuse("'\(stray.name)' stands alone, without a pair")
        }
      }
      return nil
    }
    let width = isEmbedding ? loraA.shape[1] : loraB.shape[0]
    return LowRankUpdate(
      module: module, loraA: loraA, loraB: loraB,
      outputBias: try vector(
        tensors[.loraBBias], of: module, width, isExpected: hasBias, "lora_bias"),
      magnitude: try vector(
        tensors[.magnitude], of: module, width, isExpected: usesDoRA, "use_dora"),
      crossAttention: fusion == .crossAttention
        ? try crossAttention(of: module, rank: loraA.shape[0], headCount: headCount) : nil,
      scaling: try scaling(loraA.shape[0]), fusion: fusion)
  }

  private func pair(
    of module: String, _ aKind: Kind, _ bKind: Kind, names: (a: String, b: String)
  ) throws -> (a: Tensor, b: Tensor) {
    let tensors = modules[module] ?? [:]
    guard let a = tensors[aKind] else {
      throw refuse("'\(module)' has \(names.b) but no \(names.a)")
    }
    guard let b = tensors[bKind] else {
      throw refuse("'\(module)' has \(names.a) but no \(names.b)")
    }
    guard a.shape.rank == 2, b.shape.rank == 2, a.shape[0] == b.shape[1],
      (a.shape.extents + b.shape.extents).allSatisfy({ $0 > 0 })
    else {
      throw refuse(
        "\(names.a) of '\(module)' is \(a.shape) and \(names.b) is \(b.shape), "
          + "expected [r, in] and [out, r]")
    }
    return (try floats(a), try floats(b))
  }

  /// A vector with one element an output, which is there exactly when an option says so.
  private func vector(
    _ info: TensorInfo?, of module: String, _ width: Int, isExpected: Bool, _ option: String
  ) throws -> Tensor? {
    guard let info else {
      guard isExpected else { return nil }
      throw refuse("'\(option)' is true, but '\(module)' has no tensor for it")
    }
    guard isExpected else {
      throw refuse("holds '\(info.name)', but '\(option)' is not true")
    }
    // Written as [out], and by old versions as [1, out] or [out, 1].
    guard info.shape.elementCount == width else {
      throw refuse("'\(info.name)' is \(info.shape), expected [\(width)]")
    }
    return try floats(info).reshaped(to: [width])
  }

  private func crossAttention(
    of module: String, rank: Int, headCount: Int
  ) throws -> CrossAttention {
    guard headCount > 0, rank % headCount == 0 else {
      throw refuse(
        "'num_attention_heads' of 'cross_attention_config' is \(headCount), "
          + "which does not divide the rank \(rank) of '\(module)'")
    }
    let projections = try CrossAttention.projectionNames.map { name in
      CrossAttention.Projection(
        weight: try crossAttentionTensor("\(name).weight", of: module, [rank, rank]),
        bias: try crossAttentionTensor("\(name).bias", of: module, [rank]))
    }
    return CrossAttention(
      headCount: headCount, query: projections[0], key: projections[1], value: projections[2])
  }

  private func crossAttentionTensor(
    _ name: String, of module: String, _ shape: Shape
  ) throws -> Tensor {
    guard let info = modules[module]?[.crossAttention(name)] else {
      throw refuse("'\(module)' has no 'fuse_cross_attention.\(name)'")
    }
    guard info.shape == shape else {
      throw refuse("'\(info.name)' is \(info.shape), expected \(shape)")
    }
    return try floats(info)
  }

  func refuse(_ detail: String) -> AdapterError { AdapterError(.tensors, path, detail) }
}
