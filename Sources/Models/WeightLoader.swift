import Adapters
import Kernels
import Tensors

/// Takes the tensors of a model out of a source by name, checking each one and missing none.
///
/// An architecture asks for what it needs; `finish` then refuses what nobody asked for, because a
/// tensor that is ignored is a number that is wrong in silence.
struct WeightLoader {
  private let source: any TensorSource
  /// How messages name the model.
  private let subject: String
  private let kernels: Kernels
  private let updates: [String: [LowRankUpdate]]
  /// Where matrices are taken from as they are, when they are only looked at; nil to make them ready
  /// to compute with.
  private let checkedBase: (any TensorSource)?
  private var used: Set<String> = []
  private var usedUpdates: Set<String> = []

  /// - Parameter updates: what runs beside the tensors, by module, in order.
  init(
    _ source: any TensorSource, of subject: String, _ updates: [String: [LowRankUpdate]],
    with kernels: Kernels
  ) {
    self.source = source
    self.subject = subject
    self.kernels = kernels
    self.updates = updates
    checkedBase = nil
  }

  /// A loader for finding out whether all is there, which computes no matrix.
  ///
  /// - Parameter base: what `source` is a view of.
  init(
    checking source: any TensorSource, basedOn base: any TensorSource, of subject: String,
    _ updates: [String: [LowRankUpdate]], with kernels: Kernels
  ) {
    self.source = source
    self.subject = subject
    self.kernels = kernels
    self.updates = updates
    checkedBase = base
  }

  /// The tensor of that name.
  ///
  /// - Throws: `ModelError` when it is missing, has another shape, or a type that cannot be
  ///   computed with.
  mutating func tensor(_ name: String, _ shape: Shape) throws -> Tensor {
    guard let info = source.info(named: name) else {
      let missing = TensorSourceError(missing: name, in: source)
      throw ModelError(.tensors, "\(subject): \(missing)")
    }
    guard info.shape == shape else {
      throw ModelError(
        .tensors,
        "\(subject): '\(name)' is \(info.shape), the configuration needs \(shape)")
    }
    guard shape.rank > 1 || !info.elementType.isQuantized else {
      throw ModelError(
        .tensors,
        "\(subject): '\(name)' is a vector of type \(info.elementType), expected F32, F16 or BF16")
    }
    guard info.elementType.isComputable else {
      throw ModelError(
        .tensors,
        "\(subject): '\(name)' has type \(info.elementType), "
          + "expected F32, F16, BF16 or a quantized type")
    }
    used.insert(name)
    let tensor = try bytes(of: info)
    // Vectors are small enough to be read here; a matrix shows its defects in the logits.
    guard shape.rank > 1 || kernels.floats(of: tensor).isFinite else {
      throw ModelError(.tensors, "\(subject): '\(name)' holds values that are not numbers")
    }
    guard kernels.hasFiniteScales(tensor) else {
      throw ModelError(
        .tensors, "\(subject): '\(name)' (\(info.elementType)) has a block whose scale is no number"
      )
    }
    return tensor
  }

  private func bytes(of info: TensorInfo) throws(TensorSourceError) -> Tensor {
    guard let checkedBase, info.shape.rank == 2,
      checkedBase.info(named: info.name)?.shape == info.shape
    else { return try source.tensor(named: info.name) }
    return try checkedBase.tensor(named: info.name)
  }

  /// A weight in the form that products read.
  private func prepared(_ weight: Tensor) -> Tensor {
    checkedBase == nil ? kernels.prepared(weight) : weight
  }

  /// The linear layer `module` with its bias and the adapters' updates.
  mutating func linear(
    _ module: String, _ outputs: Int, _ inputs: Int, hasBias: Bool
  ) throws -> Linear {
    usedUpdates.insert(module)
    let weight = prepared(try tensor("\(module).weight", [outputs, inputs]))
    let updates = updates[module] ?? []
    let bias = hasBias ? kernels.floatVector(try tensor("\(module).bias", [outputs])) : nil
    return Linear(
      name: module, weight: weight, bias: bias, updates: prepared(updates, on: weight))
  }

  /// The table of embeddings `module` with the adapters' updates.
  mutating func embedding(
    _ module: String, _ configuration: ModelConfiguration
  ) throws -> Embedding {
    usedUpdates.insert(module)
    let weight = try tensor(
      "\(module).weight", [configuration.vocabularySize, configuration.hiddenSize])
    let updates = checkedBase == nil ? updates[module] ?? [] : []
    return Embedding(
      weight: weight,
      updates: zip(updates, lengthFactors(of: updates, on: weight)).map {
        EmbeddingUpdate($0, lengthFactors: $1, with: kernels)
      })
  }

  private func prepared(_ updates: [LowRankUpdate], on weight: Tensor) -> [LinearUpdate] {
    if checkedBase != nil { return [] }
    return zip(updates, lengthFactors(of: updates, on: weight)).map {
      LinearUpdate($0, on: weight, lengthFactors: $1, with: kernels)
    }
  }

  /// Linear layers that read the same input.
  func group(_ linears: Linear...) -> LinearGroup { LinearGroup(linears, with: kernels) }

  /// DoRA's factors for each update: the length it wants over the length that the weight has with
  /// all updates up to it.
  private func lengthFactors(of updates: [LowRankUpdate], on weight: Tensor) -> [Tensor?] {
    guard updates.contains(where: { $0.magnitude != nil }) else { return updates.map { _ in nil } }
    var sum = kernels.floats(of: weight)
    return updates.map { update in
      kernels.addProduct(update.loraB, update.loraA, scale: update.scaling, to: &sum)
      let factors = update.lengthFactors(of: sum, kernels)
      if let factors { update.scale(&sum, by: factors, kernels) }
      return factors
    }
  }

  /// The norm `module`, which acts on hidden states unless another width is given.
  mutating func norm(
    _ module: String, _ configuration: ModelConfiguration, width: Int? = nil
  ) throws -> RMSNorm {
    RMSNorm(
      weight: try tensor("\(module).weight", [width ?? configuration.hiddenSize]),
      epsilon: configuration.rmsNormEpsilon, isOffsetByOne: configuration.normsAreOffsetByOne)
  }

  /// The layer that turns hidden states into logits, `[vocabulary, hidden]`: `lm_head`, or the
  /// embeddings when they are tied.
  mutating func outputHead(
    tiedTo embeddings: Tensor, _ configuration: ModelConfiguration
  ) throws -> Linear {
    let module = "lm_head"
    let name = "\(module).weight"
    guard configuration.tiesWordEmbeddings else {
      return try linear(
        module, configuration.vocabularySize, configuration.hiddenSize, hasBias: false)
    }
    if source.info(named: name) != nil {
      let head = try tensor(name, embeddings.shape)
      guard head.elementType == embeddings.elementType, head.hasSameBytes(as: embeddings) else {
        throw ModelError(
          .tensors,
          "\(subject): '\(name)' differs from the embeddings, "
            + "but 'tie_word_embeddings' is true. Set it to false, or remove the tensor")
      }
    }
    // Updates that an adapter shares between the two.
    usedUpdates.insert(module)
    let updates = updates[module] ?? []
    let weight = prepared(embeddings)
    return Linear(name: module, weight: weight, bias: nil, updates: prepared(updates, on: weight))
  }

  /// - Throws: `ModelError` naming a tensor of the source, or a module of an adapter, that the
  ///   architecture did not ask for.
  func finish() throws {
    if let module = updates.keys.sorted().first(where: { !usedUpdates.contains($0) }) {
      throw ModelError(
        .tensors,
        "\(subject): an adapter adapts '\(module)', which is no linear layer of "
          + "its own here; ignoring it would change the numbers")
    }
    let unused = source.tensorInfos.map(\.name).filter {
      // Old checkpoints store the rotary frequencies, which the configuration gives.
      !used.contains($0) && !$0.hasSuffix(".rotary_emb.inv_freq")
    }
    guard let first = unused.first else { return }
    let others = unused.count > 1 ? " and \(unused.count - 1) more" : ""
    throw ModelError(
      .tensors,
      "\(subject): tensor '\(first)'\(others) has no place in the architecture; "
        + "ignoring it could change the numbers")
  }
}
