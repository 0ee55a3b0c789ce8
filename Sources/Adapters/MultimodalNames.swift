/// Names in a model that also reads images, and what the text model inside calls the same.
package enum MultimodalNames {
  /// Beginnings of names, those of released checkpoints and those of transformers 5, and what the
  /// text model has in their place.
  private static let textPrefixes = [
    ("language_model.model.", "model."), ("language_model.lm_head", "lm_head"),
    ("model.language_model.", "model."),
  ]
  private static let imagePrefixes = [
    "vision_tower.", "multi_modal_projector.", "model.vision_tower.",
    "model.multi_modal_projector.",
  ]

  /// The text model's name of a module or tensor; nil when only images need it.
  ///
  /// Any other name stays as it is, so that what nobody knows is refused and not dropped.
  package static func textName(of name: String) -> String? {
    if imagePrefixes.contains(where: name.hasPrefix) { return nil }
    for (prefix, replacement) in textPrefixes where name.hasPrefix(prefix) {
      return replacement + name.dropFirst(prefix.count)
    }
    return name
  }
}
