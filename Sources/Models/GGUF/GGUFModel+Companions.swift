import JSON
import Tokenizers
import WeightFiles

extension GGUFModel {
  /// The files of a Hugging Face directory that say what the metadata say of tokenizer and chat.
  func companions() throws(TokenizerError) -> [ModelCompanion] {
    guard try tokenizer() != nil else { return [] }
    let files = try Tokenizer.huggingFaceFiles(of: checkpoint.fields)
    guard case .object(var configuration) = files.configuration else {
      preconditionFailure("Configuration is an object")
    }
    let templates = chatTemplateTexts
    configuration["chat_template"] =
      templates.count > 1
      ? .array(templates.map { ["name": .string($0.name), "template": .string($0.text)] })
      : templates.first.map { .string($0.text) }
    return [
      ModelCompanion(
        name: ModelFiles.tokenizerName, contents: .text(files.tokenizer.serialized() + "\n")),
      ModelCompanion(
        name: ChatTemplateText.configurationName,
        contents: .text(JSONValue.object(configuration).serialized(isIndented: true) + "\n")),
    ]
  }
}
