/// A key of an adapter file, taken apart.
///
/// On disk PEFT writes `base_model.model.<module>.lora_A.weight`; dumps of a model in memory (and
/// FLARE's own trainer) have the adapter's name in the key, `<module>.lora_A.<name>.weight`. Names
/// may contain hyphens and the word `lora`, so the key is cut at `.lora_A.` and `.weight` only.
struct AdapterTensorName: Hashable {
  enum Half: String { case a = "lora_A", b = "lora_B" }

  let module: String
  let half: Half
  /// The adapter's name when the key holds one.
  let adapterName: String?

  private static let prefix = "base_model.model."
  private static let suffix = "weight"

  /// The module whose whole base weight the key holds, as PEFT saves it for an adapted `lm_head`;
  /// nil for any other key.
  static func savedBaseModule(_ key: String) -> String? {
    let suffix = ".base_layer.weight"
    guard key.hasPrefix(prefix), key.hasSuffix(suffix) else { return nil }
    return String(key.dropFirst(prefix.count).dropLast(suffix.count))
  }

  /// - Returns: nil when the key is no half of a low-rank pair.
  init?(_ key: String) {
    let name = key.hasPrefix(Self.prefix) ? key.dropFirst(Self.prefix.count) : key[...]
    for half in [Half.a, .b] {
      let marker = ".\(half.rawValue)."
      guard let range = name.firstRange(of: marker) else { continue }
      let module = name[..<range.lowerBound]
      let rest = name[range.upperBound...]
      guard rest == Self.suffix || rest.hasSuffix(".\(Self.suffix)") else { return nil }
      self.module = String(module)
      self.half = half
      let adapter = rest.dropLast(Self.suffix.count)
      adapterName = adapter.isEmpty ? nil : String(adapter.dropLast())
      return
    }
    return nil
  }
}
