import Adapters
import JSON
import Tensors

/// The text model of a checkpoint, which is all of it but for a multimodal one.
///
/// A multimodal checkpoint is read as the text model that it contains: it runs, takes adapters and
/// is converted as one, and what it becomes is a text model.
struct TextModel {
  /// `config.json` of the text model.
  let configuration: JSONValue
  let tensors: any TensorSource
  /// What was left out; none of a text model.
  let warnings: [String]

  /// - Parameter subject: how messages name `config.json`.
  /// - Throws: `ModelError` when the parts of a multimodal one do not fit each other.
  init(of json: JSONValue, _ tensors: any TensorSource, subject: String) throws {
    let multimodal: MultimodalConfiguration?
    do {
      multimodal = try MultimodalConfiguration(json, subject: subject)
    } catch let error as JSONFieldError {
      throw ModelError(.configuration, error.description)
    }
    guard let multimodal else {
      configuration = json
      self.tensors = tensors
      warnings = []
      return
    }
    var names: [(name: String, original: TensorInfo)] = [], images: [TensorInfo] = []
    for info in tensors.tensorInfos {
      if let name = MultimodalNames.textName(of: info.name) {
        names.append((name, info))
      } else {
        images.append(info)
      }
    }
    let byName = Dictionary(grouping: names, by: \.name).values
    if let twice = byName.first(where: { $0.count > 1 }) {
      throw ModelError(
        .tensors,
        "\(subject): '\(twice[0].original.name)' and '\(twice[1].original.name)' are two names of "
          + "one tensor, and the checkpoint has both")
    }
    configuration = multimodal.text
    self.tensors = RenamedTensors(names, of: tensors)
    let byteCount = images.reduce(0) { $0 + $1.byteCount }
    warnings = [
      "the model also reads images, which Flare does not: the text model is used and "
        + "\(images.count) tensors for images (\(byteCount) bytes) are left out"
    ]
  }
}
