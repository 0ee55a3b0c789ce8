/// What GGUF does to a tensor of a checkpoint beside calling it something else.
public enum GGUFTensorForm: Sendable, Hashable {
  case same
  /// The rows of each head go from halves to pairs, see `RotaryRows.swift`.
  case rotaryPairs(headCount: Int)
  /// A norm that multiplies by `1 + w` is stored as `1 + w`.
  case offsetByOne
}

/// A tensor's name in one of the two worlds, and how GGUF stores it.
public struct GGUFTensorPlace: Sendable, Hashable {
  public let name: String
  public let form: GGUFTensorForm
}

extension GGUFNameMap {
  /// Where GGUF has the tensor that Hugging Face calls `name`; nil when it has no place for it.
  public func ggufPlace(of name: String, heads: AttentionHeadCounts) -> GGUFTensorPlace? {
    place(of: name, heads) { ggufModule($0) }
  }

  /// Where a checkpoint has the tensor that GGUF calls `name`; nil when it has no place for it.
  public func huggingFacePlace(of name: String, heads: AttentionHeadCounts) -> GGUFTensorPlace? {
    place(of: name, heads) { huggingFaceModule($0) }
  }

  private func place(
    of name: String, _ heads: AttentionHeadCounts,
    _ module: (String) -> (name: String, role: GGUFModuleName.Role)?
  ) -> GGUFTensorPlace? {
    guard let suffix = [".weight", ".bias"].first(where: name.hasSuffix),
      let (other, role) = module(String(name.dropLast(suffix.count))),
      suffix == ".weight" || role.hasBias
    else { return nil }
    let form: GGUFTensorForm =
      if let headCount = heads.permuted(role, in: architecture) {
        .rotaryPairs(headCount: headCount)
      } else if role == .norm && architecture.offsetsNormsByOne {
        .offsetByOne
      } else {
        .same
      }
    return GGUFTensorPlace(name: other + suffix, form: form)
  }
}
