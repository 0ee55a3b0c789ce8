import Tensors

/// The text model's tensors of a multimodal checkpoint, by the names they have in a text model.
struct TextTensors: TensorSource {
  let tensorInfos: [TensorInfo]
  /// What the checkpoint holds beside them.
  let leftOut: [TensorInfo]
  private let source: any TensorSource
  /// The checkpoint's name of each.
  private let sourceNames: [String: String]

  /// - Throws: `ModelError` when two tensors would have one name.
  init(_ source: any TensorSource) throws(ModelError) {
    var infos: [TensorInfo] = [], leftOut: [TensorInfo] = [], names: [String: String] = [:]
    for info in source.tensorInfos {
      guard let name = Self.textName(of: info.name) else {
        leftOut.append(info)
        continue
      }
      if let other = names.updateValue(info.name, forKey: name) {
        throw ModelError(
          .tensors, "the checkpoint has both '\(other)' and '\(info.name)', two names of one tensor"
        )
      }
      infos.append(TensorInfo(name: name, shape: info.shape, elementType: info.elementType))
    }
    self.source = source
    tensorInfos = infos
    self.leftOut = leftOut
    sourceNames = names
  }

  func info(named name: String) -> TensorInfo? {
    guard let info = sourceNames[name].flatMap(source.info) else { return nil }
    return TensorInfo(name: name, shape: info.shape, elementType: info.elementType)
  }

  func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    guard let sourceName = sourceNames[name] else {
      throw TensorSourceError(missing: name, in: self)
    }
    return try source.tensor(named: sourceName)
  }

  /// Beginnings of names, those of the released files and those of transformers 5, and what the
  /// text model has in their place.
  private static let textPrefixes = [
    ("language_model.model.", "model."), ("language_model.lm_head.", "lm_head."),
    ("model.language_model.", "model."),
  ]
  private static let imagePrefixes = [
    "vision_tower.", "multi_modal_projector.", "model.vision_tower.",
    "model.multi_modal_projector.",
  ]

  /// nil for a tensor that only images need. Any other name stays, so that a tensor that nobody
  /// knows is refused and not dropped.
  private static func textName(of name: String) -> String? {
    if imagePrefixes.contains(where: name.hasPrefix) { return nil }
    for (prefix, replacement) in textPrefixes where name.hasPrefix(prefix) {
      return replacement + name.dropFirst(prefix.count)
    }
    return name
  }
}
