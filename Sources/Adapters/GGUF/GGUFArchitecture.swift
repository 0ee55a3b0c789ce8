/// A `general.architecture` of which the tensor names are known.
public enum GGUFArchitecture: String, Sendable, Hashable, CaseIterable {
  case llama
  case qwen2
  case qwen3
  case gemma
  case gemma2
  case gemma3

  /// Whether the rows of q and k are stored as rotary *pairs*, one after the other, where Hugging
  /// Face has the first halves of all pairs and then the second halves.
  ///
  /// It is the runtime's choice for each architecture, and nothing in a file says so.
  public var interleavesRotaryRows: Bool { self == .llama }

  /// Whether norms multiply by `1 + w` and are stored with the 1 added.
  public var offsetsNormsByOne: Bool {
    switch self {
    case .gemma, .gemma2, .gemma3: true
    default: false
    }
  }

  /// The architecture that a model with this `model_type` has in GGUF, or nil when it has none here.
  ///
  /// Mistral is Llama there, permuted rows and all.
  public init?(modelType: String) {
    switch modelType {
    case "mistral": self = .llama
    case "gemma3_text": self = .gemma3
    default: self.init(rawValue: modelType)
    }
  }
}
