/// A key of an adapter file, taken apart.
///
/// On disk PEFT writes `base_model.model.<module>.lora_A.weight`; dumps of a model in memory (and
/// FLARE's own trainer) have the adapter's name in the key, `<module>.lora_A.<name>.weight`. Names
/// may contain hyphens and the word `lora`, so a key is cut at its markers only.
package struct AdapterTensorName: Hashable {
  package enum Kind: Hashable {
    case loraA, loraB, loraBBias
    /// The halves of an embedding's pair, which lie transposed: `[r, vocabulary]`, `[hidden, r]`.
    case embeddingA, embeddingB
    /// DoRA's row lengths.
    case magnitude
    /// Of FLARE's `cross-attention`, such as `query.weight`.
    case crossAttention(String)
    /// `weight` or `bias` of the adapted layer itself.
    case base(String)
    /// `weight` or `bias` of a module that was trained whole.
    case saved(String)
    /// The same under the name that it has in memory; on disk beside the other when the vocabulary
    /// was resized.
    case savedCopy(String)
    /// The tensor of such a module before its training, which says nothing.
    case original(String)
    /// New rows of an embedding.
    case trainedTokens
  }

  package let module: String
  package let kind: Kind
  /// The adapter's name when the key holds one.
  let adapterName: String?

  private static let prefix = "base_model.model."

  private init(_ module: Substring, _ kind: Kind, adapterName: Substring = "") {
    self.module = String(module)
    self.kind = kind
    self.adapterName = adapterName.isEmpty ? nil : String(adapterName)
  }

  /// Takes `key` apart.
  ///
  /// - Returns: nil when it is of no kind that an adapter has.
  package init?(_ key: String) {
    let key = key.hasPrefix(Self.prefix) ? key.dropFirst(Self.prefix.count) : key[...]
    for marker in Self.markers {
      guard let range = key.firstRange(of: marker.text) else { continue }
      guard let name = marker.name(key[..<range.lowerBound], key[range.upperBound...]) else {
        return nil
      }
      self = name
      return
    }
    guard let part = ["weight", "bias"].first(where: { key.hasSuffix(".\($0)") }) else {
      return nil
    }
    self.init(key.dropLast(part.count + 1), .saved(part))
  }

  /// Text in the middle of a key and what the key is, from what comes before and behind it.
  private struct Marker: Sendable {
    let text: String
    let name: @Sendable (_ module: Substring, _ rest: Substring) -> AdapterTensorName?
  }

  private static let markers = [
    Marker(text: ".lora_A.") { named($0, $1, ["weight": .loraA]) },
    Marker(text: ".lora_B.") { named($0, $1, ["weight": .loraB, "bias": .loraBBias]) },
    Marker(text: ".lora_embedding_A") { suffixed($0, $1, .embeddingA) },
    Marker(text: ".lora_embedding_B") { suffixed($0, $1, .embeddingB) },
    Marker(text: ".lora_magnitude_vector") { suffixed($0, $1, .magnitude) },
    Marker(text: ".fuse_cross_attention.") { AdapterTensorName($0, .crossAttention(String($1))) },
    Marker(text: ".token_adapter.trainable_tokens_delta") { suffixed($0, $1, .trainedTokens) },
    Marker(text: ".modules_to_save.") {
      named($0, $1, ["weight": .savedCopy("weight"), "bias": .savedCopy("bias")])
    },
    Marker(text: ".original_module.") {
      named($0, $1, ["weight": .original("weight"), "bias": .original("bias")])
    },
    Marker(text: ".token_adapter.base_layer.") { named($0, $1, ["weight": .base("weight")]) },
    Marker(text: ".base_layer.") {
      named($0, $1, ["weight": .base("weight"), "bias": .base("bias")])
    },
  ]

  /// A key that ends in a part, `weight`, or in an adapter's name and a part, `default.weight`.
  private static func named(
    _ module: Substring, _ rest: Substring, _ kinds: [String: Kind]
  ) -> AdapterTensorName? {
    for (part, kind) in kinds {
      if rest == part { return AdapterTensorName(module, kind) }
      if rest.hasSuffix(".\(part)") {
        return AdapterTensorName(module, kind, adapterName: rest.dropLast(part.count + 1))
      }
    }
    return nil
  }

  /// A key that ends at its marker, or in an adapter's name with or without `weight` behind it.
  private static func suffixed(
    _ module: Substring, _ rest: Substring, _ kind: Kind
  ) -> AdapterTensorName? {
    guard !rest.isEmpty else { return AdapterTensorName(module, kind) }
    guard rest.first == "." else { return nil }
    let name = rest.dropFirst()
    if name == "weight" { return AdapterTensorName(module, kind) }
    return AdapterTensorName(
      module, kind, adapterName: name.hasSuffix(".weight") ? name.dropLast(7) : name)
  }

  /// The key under which PEFT stores a tensor of `module`.
  package static func key(_ module: String, _ kind: Kind) -> String {
    let suffix =
      switch kind {
      case .loraA: "lora_A.weight"
      case .loraB: "lora_B.weight"
      case .loraBBias: "lora_B.bias"
      case .embeddingA: "lora_embedding_A"
      case .embeddingB: "lora_embedding_B"
      case .magnitude: "lora_magnitude_vector"
      case .crossAttention(let part): "fuse_cross_attention.\(part)"
      case .base(let part): "base_layer.\(part)"
      case .saved(let part): part
      case .savedCopy(let part): "modules_to_save.\(part)"
      case .original(let part): "original_module.\(part)"
      case .trainedTokens: "token_adapter.trainable_tokens_delta"
      }
    return "\(prefix)\(module).\(suffix)"
  }
}
