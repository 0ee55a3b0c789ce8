/// A key of a checkpoint of FLARE's trainer, taken apart.
///
/// The trainer saves its whole module: the model with PEFT's layers in it as `encoder`, and what it
/// trains beside. Below `encoder.model.` (PEFT's own `model`) follow the names that Hugging Face
/// gives the weights, with `base_layer` in those of adapted layers and the adapter's name in its own.
enum TrainerTensorName {
  /// A weight of the model, by the name that Hugging Face gives it.
  case base(String)
  /// A half of a low-rank pair of the adapter `name`; nil when the key names none.
  case lowRank(adapter: String?, module: String, half: AdapterTensorName.Kind)
  /// A part of the attention by which a module fuses, such as `query.weight`.
  case crossAttention(module: String, part: String)
  /// `weight` or `bias` of what takes a translation model's states to the model's own.
  case projection(String)
  /// No weight of a language model, and of no adapter.
  case head
  /// Of an adapter that is none of these; ignoring it would change the numbers.
  case unsupported

  /// What can stand before `model.layers.…`, longest first.
  ///
  /// A model without an output head has one `model.` less, and not every trainer has an `encoder`.
  private static let prefixes = [
    "encoder.base_model.model.", "encoder.base_model.", "encoder.model.", "encoder.",
    "base_model.model.", "base_model.", "model.", "",
  ]

  /// What stands before the names of the model's weights in all of `keys`; nil when no key is one of
  /// a model with layers.
  static func modelPrefix(of keys: some Collection<String>) -> String? {
    prefixes.first { prefix in keys.contains { $0.hasPrefix("\(prefix)model.layers.") } }
  }

  init(_ key: String, modelPrefix: String) {
    guard key.hasPrefix(modelPrefix), !Self.isProjection(key) else {
      self = Self.isProjection(key) ? .projection(String(key.dropFirst(5))) : .head
      return
    }
    guard let name = AdapterTensorName(String(key.dropFirst(modelPrefix.count))) else {
      self = .head
      return
    }
    switch name.kind {
    case .loraA, .loraB:
      self = .lowRank(adapter: name.adapterName, module: name.module, half: name.kind)
    case .crossAttention(let part): self = .crossAttention(module: name.module, part: part)
    case .base(let part): self = .base("\(name.module).\(part)")
    case .saved(let part):
      let isOfAdapter = name.module.split(separator: ".").contains { $0.hasPrefix("lora_") }
      let isOfModel = name.module.hasPrefix("model.") || name.module == "lm_head"
      self = isOfAdapter ? .unsupported : isOfModel ? .base("\(name.module).\(part)") : .head
    case .loraBBias, .embeddingA, .embeddingB, .magnitude, .savedCopy, .original, .trainedTokens:
      self = .unsupported
    }
  }

  private static func isProjection(_ key: String) -> Bool {
    key == "proj.weight" || key == "proj.bias"
  }
}
