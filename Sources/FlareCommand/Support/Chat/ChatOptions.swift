import ArgumentParser
import Models
import SystemPackage

/// Options of the commands that write conversations for a model.
struct ChatOptions: ParsableArguments {
  @Option(help: "What the model is told before the conversation. \\n stands for a line break.")
  var system: String?

  @Option(
    help: ArgumentHelp(
      "A chat template to use in place of the model's own.", valueName: "file"))
  var chatTemplate: FilePath?

  @Option(
    help: ArgumentHelp(
      "Which of the model's chat templates to use, where it has several.", valueName: "name"))
  var templateName: String?

  func validate() throws {
    guard chatTemplate == nil || templateName == nil else {
      throw ValidationError(
        "'--template-name' chooses among the model's own; it does not go with '--chat-template'")
    }
  }

  var isGiven: Bool { system != nil || chatTemplate != nil || templateName != nil }

  func template(of files: ModelFiles) throws -> ChatTemplate {
    guard let chatTemplate else { return try ChatTemplate(of: files, named: templateName) }
    return try ChatTemplate(
      contentsOf: chatTemplate, specialTokens: try ChatTemplate.specialTokens(of: files))
  }

  /// What stands before the first question.
  var opening: [ChatMessage] { system.map { [.system($0.withLineBreaks)] } ?? [] }
}
