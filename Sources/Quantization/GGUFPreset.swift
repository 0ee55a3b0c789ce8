public import Tensors

/// A recipe of llama.cpp's `llama-quantize`: which type each tensor of a GGUF model gets.
///
/// Most matrices get the type in the preset's name. The output head, or the embeddings that serve as
/// one, gets Q6_K at least, and presets that end in `M` or `S` give some layers' values and down
/// projections more bits than others.
///
///     let types = GGUFPreset.q4KM.types(of: infos, architecture: "llama", layerCount: 32)
public enum GGUFPreset: String, Sendable, CaseIterable {
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case q80 = "Q8_0"
  case q40 = "Q4_0"
  case q41 = "Q4_1"
  case q50 = "Q5_0"
  case q51 = "Q5_1"
  case q4KS = "Q4_K_S"
  case q4KM = "Q4_K_M"
  case q5KS = "Q5_K_S"
  case q5KM = "Q5_K_M"
  case q6K = "Q6_K"

  /// The preset of that name in any case; `Q4_K` and `Q5_K` are short for the `M` ones.
  public init?(named name: String) {
    let name = name.uppercased()
    switch name {
    case "Q4_K": self = .q4KM
    case "Q5_K": self = .q5KM
    default: self.init(rawValue: name)
    }
  }

  /// What `general.file_type` says of such a file.
  public var fileType: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .bf16: 32
    case .q80: 7
    case .q40: 2
    case .q41: 3
    case .q50: 8
    case .q51: 9
    case .q4KS: 14
    case .q4KM: 15
    case .q5KS: 16
    case .q5KM: 17
    case .q6K: 18
    }
  }

  /// The type of most matrices.
  public var mainType: ElementType {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .q80: .blockQ80
    case .q40: .blockQ40
    case .q41: .blockQ41
    case .q50: .blockQ50
    case .q51: .blockQ51
    case .q4KS, .q4KM: .blockQ4K
    case .q5KS, .q5KM: .blockQ5K
    case .q6K: .blockQ6K
    }
  }
}

extension GGUFPreset: CustomStringConvertible {
  public var description: String { rawValue }
}
