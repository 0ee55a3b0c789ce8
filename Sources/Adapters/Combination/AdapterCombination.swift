import Tensors

/// Adapters that were trained beside each other, and how they become one.
public struct AdapterCombination: Sendable {
  public let members: [AdapterStack.Member]
  public let method: CombinationMethod
  /// The combined update of each module, in the order in which the adapters first name them.
  let updates: [CombinedUpdate]

  /// - Throws: `AdapterError` when a member is more than plain LoRA, or the shapes of a module
  ///   differ.
  public init(_ members: [AdapterStack.Member], by method: CombinationMethod) throws(AdapterError) {
    self.members = members
    self.method = method
    for member in members { try Self.check(member.adapter) }
    var order: [String] = []
    var shares: [String: [CombinedUpdate.Share]] = [:]
    for (position, member) in members.enumerated() {
      for update in member.adapter.updates {
        let module = update.module
        if shares[module] == nil { order.append(module) }
        if let first = shares[module]?.first?.update,
          first.deltaShape != update.deltaShape
        {
          throw AdapterError(
            .stack, member.adapter.path,
            "adapts '\(module)' as \(update.deltaShape), another adapter as \(first.deltaShape). "
              + "They were made for different models")
        }
        shares[module, default: []].append(
          CombinedUpdate.Share(update: update, weight: member.weight, position: position))
      }
    }
    updates = order.map { CombinedUpdate(module: $0, shares: shares[$0] ?? [], method: method) }
  }

  private static func check(_ adapter: Adapter) throws(AdapterError) {
    func refuse(_ what: String) -> AdapterError {
      AdapterError(
        .stack, adapter.path,
        "\(what), which has no place in a combination. Merge it in a run of its own")
    }
    if let fusion = adapter.fusion { throw refuse("is a FLARE adapter (\(fusion.rawValue))") }
    if adapter.keepsWeightTying, adapter.updates.contains(where: \.isEmbedding) {
      throw refuse("adapts embeddings and head as one ('ensure_weight_tying')")
    }
    if adapter.isResidue { throw refuse("is what a merge left of an adapter") }
    if let replacement = adapter.replacements.first {
      throw refuse("brings '\(replacement.name)' whole")
    }
    for update in adapter.updates {
      if update.magnitude != nil { throw refuse("has DoRA's lengths for '\(update.module)'") }
      if update.outputBias != nil {
        throw refuse("has a bias ('lora_bias') for '\(update.module)'")
      }
    }
  }
}

extension LowRankUpdate {
  /// The shape of the weight that the update is for, `[out, in]`.
  var deltaShape: [Int] { [loraB.shape[0], loraA.shape[1]] }
}
