public import ArgumentParser
import Bundles
import Files
import JSON
import Models
import SystemPackage
public import Templates

struct TemplateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "template",
    abstract: "Show what a chat template makes of a conversation.",
    discussion: """
      Prints the text that the model reads, special tokens written out, and nothing else. The \
      conversation is a JSON list of messages, or an object with "messages" and what else the \
      template asks for: "tools", "documents", "enable_thinking".

      EXAMPLE:
        echo '[{"role": "user", "content": "Hi"}]' | flare template model.flare
        flare template model --messages conversation.json --chat-template other.jinja
        flare template model --raw
      """)

  @Argument(
    help: """
      A model, a name in the store, a directory with 'tokenizer_config.json', or a template (.jinja).
      """, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(
    help: ArgumentHelp(
      "The conversation (default: '-', standard input).", valueName: "file"))
  var messages: FilePath = "-"

  @OptionGroup var chat: ChatOptions

  @Flag(
    inversion: .prefixedNo, help: "End with the beginning of an answer.")
  var generationPrompt = true

  @Option(
    help: ArgumentHelp(
      "The time that a template is told when it asks for the date: 2024-07-26 or "
        + "2024-07-26T15:04:05 (default: now).", valueName: "date"))
  var date: CalendarDate?

  @Flag(help: "Print the template itself, and need no conversation.")
  var raw = false

  func run() throws {
    let template = try template()
    guard !raw else { return standardOutput.write(template.template.text) }
    let document = try JSONValue(contentsOfInput: messages)
    let subject = messages == "-" ? "standard input" : "\(messages)"
    var variables = document.object ?? [:]
    if document.object != nil, document["messages"] == nil {
      throw ModelError(.chat, "\(subject): 'messages' is missing, expected a list of messages")
    }
    let list = document["messages"] ?? document
    let turns = chat.opening + (try ChatMessage.list(list, subject: subject))
    let tools = document["tools"]
    let documents = document["documents"]
    let addsPrompt = document["add_generation_prompt"]?.boolean ?? generationPrompt
    for name in ["messages", "tools", "documents", "add_generation_prompt"] {
      variables[name] = nil
    }
    standardOutput.write(
      try template.render(
        turns, tools: tools, documents: documents, addsGenerationPrompt: addsPrompt,
        variables: variables, date: date ?? .now))
  }

  private func template() throws -> ChatTemplate {
    if model.extension == "jinja" { return try ChatTemplate(contentsOf: model) }
    // A directory needs no weights to have a template.
    guard model.isDirectory, !Bundle.isBundle(model) else {
      return try chat.template(of: try ModelFiles(model))
    }
    guard let file = chat.chatTemplate else {
      return try ChatTemplate(ofDirectory: model, named: chat.templateName)
    }
    return try ChatTemplate(
      contentsOf: file, specialTokens: try ChatTemplate.specialTokens(ofDirectory: model))
  }
}

extension CalendarDate: ExpressibleByArgument {
  /// - Returns: nil for what is no date, or has parts out of range.
  public init?(argument: String) {
    let halves = argument.split(separator: "T", omittingEmptySubsequences: false)
    let days = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    let times = halves.dropFirst().first?.split(separator: ":").map { Int($0) } ?? [0, 0, 0]
    guard halves.count <= 2, days.count == 3, times.count == 3,
      let year = days[0], let month = days[1], let day = days[2], let hour = times[0],
      let minute = times[1], let second = times[2], 1...9999 ~= year, 1...12 ~= month,
      1...31 ~= day, 0..<24 ~= hour, 0..<60 ~= minute, 0..<60 ~= second
    else { return nil }
    self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
  }
}
