/// A key of a checkpoint of FLARE's trainer, taken apart.
///
/// The trainer saves its whole module: the model with PEFT's layers in it as `encoder`, and what it
/// trains beside. Below `encoder.model.` (PEFT's own `model`) follow the names that Hugging Face
/// gives the weights, with `base_layer` in those of adapted layers and the adapter's name in its own.
enum TrainerTensorName {
  /// A weight of the model, by the name that Hugging Face gives it.
  case base(String)
  /// A half of a low-rank pair of the adapter `name`; nil when the key names none.
  case lowRank(adapter: String?, module: String, half: AdapterTensorName.Half)
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
    let name = String(key.dropFirst(modelPrefix.count))
    if let pair = AdapterTensorName(name) {
      self = .lowRank(adapter: pair.adapterName, module: pair.module, half: pair.half)
    } else if let range = name.firstRange(of: ".fuse_cross_attention.") {
      self = .crossAttention(
        module: String(name[..<range.lowerBound]), part: String(name[range.upperBound...]))
    } else {
      self.init(ofModel: name)
    }
  }

  /// What a name below the model's is, when it is of no pair.
  private init(ofModel name: String) {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if parts.count >= 2, parts[parts.count - 2] == "base_layer" {
      parts.remove(at: parts.count - 2)
    }
    let isOfAdapter = parts.contains {
      $0.hasPrefix("lora_") || ["base_layer", "modules_to_save", "original_module"].contains($0)
    }
    let isOfModel = ["model", "lm_head"].contains(parts[0])
    self = isOfAdapter ? .unsupported : isOfModel ? .base(parts.joined(separator: ".")) : .head
  }

  private static func isProjection(_ key: String) -> Bool {
    key == "proj.weight" || key == "proj.bias"
  }
}
