import JSON

/// The `config.json` of a model that also sees: Gemma 3's text model is an object inside it.
struct MultimodalConfiguration {
  static let modelType = "gemma3"
  private static let className = "Gemma3ForConditionalGeneration"

  /// The `config.json` that the text model would have by itself.
  let text: JSONValue

  /// Keys about images and about the two parts.
  private static let ownKeys: Set = [
    "architectures", "boi_token_id", "boi_token_index", "eoi_token_id", "eoi_token_index",
    "image_token_id", "image_token_index", "mm_tokens_per_image", "model_type", "text_config",
    "vision_config",
  ]

  /// Keys that count as the outer object has them: its authors know which tokens end a text.
  private static let tokenKeys: Set = ["bos_token_id", "eos_token_id", "pad_token_id"]

  /// nil when `json` is the configuration of something else.
  ///
  /// - Parameter subject: how messages name the file.
  /// - Throws: `ModelError` when the two parts contradict each other, the text part is missing,
  ///   or the class is another; `JSONFieldError` for a malformed value.
  init?(_ json: JSONValue, subject: String) throws {
    guard json["model_type"] == .string(Self.modelType) else { return nil }
    let outer = try JSONFields(json, subject: subject)
    guard let inner = try outer.fields("text_config") else {
      throw ModelError(
        .configuration, "\(subject): 'text_config' is missing, expected an object")
    }
    if let name = try outer.optional("architectures", as: [String].self)?.first,
      name != Self.className
    {
      throw ModelError(
        .unsupported, "\(subject): 'architectures' is \"\(name)\", expected \"\(Self.className)\"")
    }
    var text = inner.members
    text["model_type"] = .string(Architecture.gemma3.rawValue)
    text["architectures"] = .array([.string(ArchitectureTraits.gemma3.className)])
    for (key, value) in outer.members where !Self.ownKeys.contains(key) {
      let isTold = text[key] == nil || text[key] == .null
      if isTold || Self.tokenKeys.contains(key) {
        if value != .null { text[key] = value }
      } else if text[key] != value, ArchitectureTraits.gemma3.honouredKeys.contains(key) {
        throw ModelError(
          .configuration,
          "\(subject): '\(key)' is \(value.shortDescription), but "
            + "\(text[key]?.shortDescription ?? "nothing") in 'text_config'. Remove one of them")
      }
    }
    self.text = .object(text)
  }
}
