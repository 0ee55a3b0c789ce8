/// The families of models Flare runs; the raw value is `model_type` of `config.json`.
public enum Architecture: String, Sendable, CaseIterable {
  case llama
  case mistral
  case qwen2
  case qwen3
  case gemma
  case gemma2
  /// The text model alone; what is around it in a multimodal checkpoint is left out.
  case gemma3 = "gemma3_text"

  /// The name as its authors write it.
  public var displayName: String { traits.displayName }

  /// What sets the architecture apart, each in a file of its own.
  var traits: ArchitectureTraits {
    switch self {
    case .llama: .llama
    case .mistral: .mistral
    case .qwen2: .qwen2
    case .qwen3: .qwen3
    case .gemma: .gemma
    case .gemma2: .gemma2
    case .gemma3: .gemma3
    }
  }
}
