public import JSON

/// One turn of a conversation.
public struct ChatMessage: Sendable, Hashable {
  /// All that the template sees of it: `role`, `content` and what else the turn has, such as
  /// `tool_calls`, `tool_call_id` or `reasoning_content`, as transformers names them.
  public private(set) var fields: JSONObject

  public init(role: String, content: String) {
    fields = ["role": .string(role), "content": .string(content)]
  }

  public static func system(_ content: String) -> ChatMessage {
    .init(role: "system", content: content)
  }
  public static func user(_ content: String) -> ChatMessage {
    .init(role: "user", content: content)
  }
  public static func assistant(_ content: String) -> ChatMessage {
    .init(role: "assistant", content: content)
  }

  /// A message as JSON has it; members that are null count as absent, as in transformers.
  ///
  /// - Parameter subject: what errors call it.
  /// - Throws: `ModelError` when it is no object or has no role.
  public init(_ json: JSONValue, subject: String) throws(ModelError) {
    guard let members = json.object, members["role"]?.string != nil else {
      throw ModelError(
        .chat,
        "\(subject): got \(json.shortDescription), expected an object with \"role\" and \"content\""
      )
    }
    fields = JSONObject(members.lazy.filter { $0.value != .null }.map { ($0.key, $0.value) })
  }

  /// The messages of a JSON list.
  ///
  /// - Throws: `ModelError` when it is no list, or one of them is no message.
  public static func list(_ json: JSONValue, subject: String) throws(ModelError) -> [ChatMessage] {
    guard let elements = json.array else {
      throw ModelError(
        .chat, "\(subject): got \(json.shortDescription), expected a list of messages")
    }
    var messages: [ChatMessage] = []
    for (index, element) in elements.enumerated() {
      messages.append(try ChatMessage(element, subject: "\(subject): message \(index + 1)"))
    }
    return messages
  }

  public var role: String { fields["role"]?.string ?? "" }

  /// nil when the content is absent, or a list of parts.
  public var content: String? { fields["content"]?.string }

  public var json: JSONValue { .object(fields) }
}
