/// What an adapter does to the text model, when it was trained on one that also reads images.
struct TextModelParts {
  /// With the names that the text model has.
  let updates: [LowRankUpdate]
  let replacements: [TensorReplacement]
  /// What was left out, in a sentence; nil when nothing was.
  let note: String?

  init(of updates: [LowRankUpdate], _ replacements: [TensorReplacement]) {
    self.updates = updates.compactMap { update in
      MultimodalNames.textName(of: update.module).map(update.moved)
    }
    self.replacements = replacements.compactMap { replacement in
      MultimodalNames.textName(of: replacement.name).map(replacement.moved)
    }
    let count =
      updates.count + replacements.count - self.updates.count - self.replacements.count
    note = count == 0 ? nil : "what it changes about images is left out (\(count) of its modules)"
  }
}
