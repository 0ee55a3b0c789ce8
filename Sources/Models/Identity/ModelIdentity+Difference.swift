import Tensors

extension ModelIdentity {
  /// How another model differs from this one, as the end of a sentence about the other; nil when it is
  /// the same.
  public func difference(of other: ModelIdentity) -> String? {
    if other.fingerprint == fingerprint { return nil }
    guard other.architecture == architecture else {
      return "it is '\(other.architecture)', not '\(architecture)'"
    }
    let missing = tensors.keys.filter { other.tensors[$0] == nil }.sorted()
    let extra = other.tensors.keys.filter { tensors[$0] == nil }.sorted()
    guard missing.isEmpty && extra.isEmpty else {
      let one = missing.first.map { "lacks '\($0)'" } ?? "has '\(extra[0])' in addition"
      return "it has \(other.tensors.count) tensors, not \(tensors.count), and \(one)"
    }
    let changed = tensors.keys.filter { tensors[$0] != other.tensors[$0] }.sorted()
    let reshaped = changed.filter { tensors[$0]?.shape != other.tensors[$0]?.shape }
    let vocabulary = ["lm_head.weight", "model.embed_tokens.weight"]
    if let first = reshaped.first, let mine = tensors[first]?.shape,
      let others = other.tensors[first]?.shape
    {
      guard reshaped.allSatisfy(vocabulary.contains) else {
        return "'\(first)' is \(others), not \(mine): it is another size of the architecture"
      }
      let weights =
        changed.count == reshaped.count ? "the same weights" : "other weights"
      return "it has \(weights) and a vocabulary of \(others[0]) instead of \(mine[0])"
    }
    guard changed.count < tensors.count else {
      return "it has the same architecture and other weights"
    }
    return "\(changed.count) of its \(tensors.count) tensors have other values, such as "
      + "'\(changed[0])'"
  }
}
