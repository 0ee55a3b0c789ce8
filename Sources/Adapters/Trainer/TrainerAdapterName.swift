/// What the trainer says about an adapter by its name.
enum TrainerAdapterName: Equatable {
  /// Plain LoRA: the task stage.
  case plain
  /// Fuses by the function, as `fusion_fn` spells it.
  case fuses(String)
  /// Fuses with the states of a translation model; the name does not say how.
  case translation
  /// Source and target are one text; nothing is fused in the adapter.
  case inputFusion
  /// A name that someone else chose.
  case unknown

  private static let functions = ["add", "mul", "add_relu", "matmul", "matmul_relu"]

  init(_ name: String) {
    if ["lora", "lora-default", "default"].contains(name) {
      self = .plain
    } else if name.hasPrefix("inputfusion") {
      self = .inputFusion
    } else if name.hasPrefix("flare-") {
      let rest = String(name.dropFirst("flare-".count))
      if Self.functions.contains(rest) {
        self = .fuses(rest)
      } else if rest.hasPrefix("cross_attention") || rest.hasPrefix("cross-attention") {
        self = .fuses(Self.crossAttention)
      } else if rest.hasPrefix("fusemt") {
        self = .translation
      } else {
        self = .unknown
      }
    } else {
      self = .unknown
    }
  }

  static let crossAttention = "cross-attention"
  /// Every function that an adapter can have.
  static let knownFunctions = functions + [crossAttention]
}
