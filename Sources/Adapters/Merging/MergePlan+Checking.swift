public import Tensors

extension MergePlan {
  /// Whether the merge changes `tensor`, the name of one of the base's.
  public func changes(_ tensor: String) -> Bool { edits.byTensor[tensor] != nil }

  /// Whether the merge adds to `tensor`, so that its numbers are neither the base's nor an adapter's.
  public func addsTo(_ tensor: String) -> Bool {
    (edits.byTensor[tensor] ?? []).contains {
      if case .replace = $0 { false } else { true }
    }
  }

  /// Checks that every module which is merged has a tensor to go to, and changes it.
  ///
  /// - Parameter allowsZero: whether a module may be there that adds nothing.
  /// - Throws: `AdapterError` naming the module.
  public func check(against base: any TensorSource, allowsZero: Bool = false) throws(AdapterError) {
    for part in parts {
      let name = part.adapter.name
      let zero = ledger.first { $0.adapter == name && $0.isZero }
      if let zero, !allowsZero {
        throw AdapterError(
          .tensors, part.adapter.path,
          "the delta of '\(zero.module)' is zero, so merging it changes nothing. Is the adapter "
            + "trained? Pass --allow-zero if it should be so")
      }
    }
    for update in edits.biasUpdates where base.info(named: "\(update.module).bias") == nil {
      throw AdapterError(
        .unsupported, parts[update.level].adapter.path,
        "has a bias for '\(update.module)' ('lora_bias'), which the base has none to merge it into. "
          + "Run it as an adapter")
    }
  }
}

extension TensorEdits {
  fileprivate var biasUpdates: [LowRankUpdate] {
    byTensor.values.flatMap { steps in
      steps.compactMap { if case .biasUpdate(let update) = $0 { update } else { nil } }
    }
  }
}
