import OrderedCollections
import Tensors

// The tensors of an adapter file that take the place of some of the base.
extension AdapterTensors {
  /// All replacements, each tensor of the file that is no part of an update exactly once.
  ///
  /// - Throws: `AdapterError` for a tensor that the configuration does not announce, and for one
  ///   that it announces and the file lacks.
  func replacements(_ configuration: AdapterConfiguration) throws -> [TensorReplacement] {
    var replacements: [TensorReplacement] = []
    for (module, tensors) in modules {
      // Whole tensors first, so that trained rows go into a resized embedding.
      for part in ["weight", "bias"] {
        if let info = tensors[.base(part)] {
          replacements.append(try base(part, of: module, info, configuration))
        }
        if let info = try savedInfo(part, of: module, tensors) {
          replacements.append(try saved(part, of: module, info, configuration))
        }
      }
      if let info = tensors[.trainedTokens] {
        replacements.append(try trainedTokens(of: module, info, configuration))
      }
      if let stray = crossAttentionKind(in: tensors),
        configuration.fusion?.function != .crossAttention
      {
        throw refuse("holds '\(stray.name)', but 'fusion_fn' is not \"cross-attention\"")
      }
    }
    try checkComplete(configuration)
    return replacements
  }

  private func crossAttentionKind(in tensors: [Kind: TensorInfo]) -> TensorInfo? {
    tensors.first { kind, _ in if case .crossAttention = kind { true } else { false } }?.value
  }

  /// `<module>.base_layer.weight`, which PEFT saves with an adapted embedding or head, or a bias.
  private func base(
    _ part: String, of module: String, _ info: TensorInfo, _ configuration: AdapterConfiguration
  ) throws -> TensorReplacement {
    let name = "\(module).\(part)"
    if part == "bias" {
      guard configuration.trainsBiases else {
        throw refuse("holds '\(info.name)', but 'bias' is none")
      }
      return TensorReplacement(name: name, tensor: try tensor(info), origin: .bias)
    }
    guard module.hasSuffix("embed_tokens") || module.hasSuffix("lm_head") else {
      throw refuse(
        "holds '\(info.name)', a base weight: this is a dump of a whole model. "
          + "Split it with 'flare convert' first")
    }
    return TensorReplacement(name: name, tensor: try tensor(info), origin: .savedBase)
  }

  private func saved(
    _ part: String, of module: String, _ info: TensorInfo, _ configuration: AdapterConfiguration
  ) throws -> TensorReplacement {
    let name = "\(module).\(part)"
    if configuration.saves(module) {
      let kinds: [Kind] = [.saved(part), .savedCopy(part), .original(part)]
      return TensorReplacement(
        name: name, tensor: try tensor(info), origin: .savedModule,
        tensorCount: kinds.count { modules[module]?[$0] != nil })
    }
    if part == "bias", configuration.trainsBiases {
      return TensorReplacement(name: name, tensor: try tensor(info), origin: .bias)
    }
    // Embeddings and head of a vocabulary that was resized before training.
    if module.hasSuffix("embed_tokens") || module.hasSuffix("lm_head") {
      return TensorReplacement(name: name, tensor: try tensor(info), origin: .savedBase)
    }
    throw refuse(
      "holds '\(info.name)', which is no part of a low-rank pair and not in 'modules_to_save'")
  }

  /// The tensor of a module that was trained whole; PEFT may write it twice.
  private func savedInfo(
    _ part: String, of module: String, _ tensors: [Kind: TensorInfo]
  ) throws -> TensorInfo? {
    guard let saved = tensors[.saved(part)] else { return tensors[.savedCopy(part)] }
    if let copy = tensors[.savedCopy(part)] {
      guard try tensor(copy).hasSameBytes(as: tensor(saved)) else {
        throw refuse("'\(saved.name)' and '\(copy.name)' differ, and both are '\(module)'")
      }
    }
    return saved
  }

  private func trainedTokens(
    of module: String, _ info: TensorInfo, _ configuration: AdapterConfiguration
  ) throws -> TensorReplacement {
    // A list without a name is of the embeddings, and of a head that is tied to them.
    let isHead = module == ModuleNames.outputHead
    guard
      let tokens = configuration.trainedTokens(of: module)
        ?? (isHead ? configuration.trainedTokens(of: ModuleNames.embeddings) : nil)
    else {
      throw refuse("holds '\(info.name)', but 'trainable_token_indices' does not name its module")
    }
    guard info.shape.rank == 2, info.shape[0] == tokens.count, Set(tokens).count == tokens.count
    else {
      throw refuse(
        "'\(info.name)' is \(info.shape), but 'trainable_token_indices' names \(tokens.count) "
          + "tokens (\(Set(tokens).count) different ones)")
    }
    return TensorReplacement(
      name: "\(module).weight", tensor: try tensor(info), rows: tokens, origin: .trainedTokens)
  }

  /// Checks that everything which the configuration says was trained is there.
  private func checkComplete(_ configuration: AdapterConfiguration) throws {
    for name in configuration.modulesToSave {
      guard
        modules.contains(where: { module, tensors in
          module.hasSuffix(name)
            && tensors.keys.contains {
              switch $0 {
              case .saved, .savedCopy: true
              default: false
              }
            }
        })
      else {
        throw refuse("has no tensor of '\(name)', which 'modules_to_save' names")
      }
    }
    for (name, _) in configuration.trainedTokens {
      // The rows of a tied head are those of the embeddings, and are not written again.
      let isFound = modules.contains {
        $0.value[.trainedTokens] != nil
          && ($0.key.hasSuffix(name) || ModuleNames.outputHead.hasSuffix(name))
      }
      guard isFound else {
        throw refuse("has no tensor of '\(name)', which 'trainable_token_indices' names")
      }
    }
  }

  /// Checks that every tensor of the file went into an update or a replacement.
  func checkAllUsed(
    _ updates: [LowRankUpdate], _ replacements: [TensorReplacement]
  ) throws(AdapterError) {
    for (module, tensors) in modules {
      let used =
        updates.reduce(0) { $0 + ($1.module == module ? $1.tensors.count : 0) }
        + replacements.reduce(0) { $0 + ($1.module == module ? $1.tensorCount : 0) }
      guard used == tensors.count else {
        let names = tensors.values.map { "'\($0.name)'" }.sorted().joined(separator: ", ")
        throw refuse(
          "\(used) of \(tensors.count) tensors of '\(module)' are understood together: \(names)")
      }
    }
  }
}
