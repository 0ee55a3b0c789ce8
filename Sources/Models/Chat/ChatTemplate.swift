public import JSON
public import Templates

/// How a model wants conversations written: a template, and the tokens that it names.
///
/// The text of `render` is what transformers' `apply_chat_template` makes. It has all special tokens
/// that it needs, that for the beginning among them, so it is encoded as it is, without adding any.
/// A template that writes no beginning-of-text token gets none, as there.
public struct ChatTemplate: Sendable {
  public let template: Template
  /// What the template sees as `bos_token`, `eos_token` and so on.
  public let specialTokens: JSONObject

  /// A template from its text, a GGUF file's `tokenizer.chat_template` for example.
  ///
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - specialTokens: the spelling of special tokens by their names, such as `bos_token`.
  /// - Throws: `TemplateError`.
  public init(
    _ text: String, name: String, specialTokens: JSONObject = [:]
  ) throws(TemplateError) {
    template = try Template(text, name: name)
    self.specialTokens = specialTokens
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - tools: functions that the model may call, a JSON list as transformers takes it.
  ///   - documents: texts for the model to answer from.
  ///   - addsGenerationPrompt: whether the text ends with the beginning of an answer.
  ///   - variables: what else the template asks for, `enable_thinking` for example.
  ///   - date: what the template is told when it asks for the date.
  /// - Throws: `TemplateError`, in the template's own words when it refuses the conversation.
  public func render(
    _ messages: [ChatMessage], tools: JSONValue? = nil, documents: JSONValue? = nil,
    addsGenerationPrompt: Bool = true, variables: JSONObject = [:], date: CalendarDate = .now
  ) throws(TemplateError) -> String {
    var values = specialTokens
    for (key, value) in variables { values[key] = value }
    values["messages"] = .array(messages.map(\.json))
    values["tools"] = tools ?? .null
    values["documents"] = documents ?? .null
    values["add_generation_prompt"] = .boolean(addsGenerationPrompt)
    return try template.render(values, date: date)
  }
}
