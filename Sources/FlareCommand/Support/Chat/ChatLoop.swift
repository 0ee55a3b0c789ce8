import ArgumentParser
import Files
import JSON
import Models
import SystemPackage
import Templates

/// Takes turns with someone until the input ends.
struct ChatLoop {
  let conversation: Conversation
  let input: ChatInput
  let style: ChatStyle
  private var lastAnswer: ChatAnswer?

  init(_ conversation: Conversation, isInteractive: Bool) {
    self.conversation = conversation
    style = ChatStyle()
    input = ChatInput(isInteractive: isInteractive, style: style)
  }

  /// - Throws: what keeps a turn from being answered; someone at a terminal is told and goes on.
  mutating func run() throws {
    while let line = input.next() {
      do {
        guard try take(line) else { return }
      } catch let error as any FlareError where input.isInteractive {
        note("\(error)")
      } catch let error as ValidationError where input.isInteractive {
        note(error.message)
      }
    }
    if input.isInteractive { standardError.write("\n") }
  }

  /// - Returns: whether the conversation goes on.
  private mutating func take(_ line: String) throws -> Bool {
    if line.hasPrefix("/"), !line.hasPrefix("//") {
      guard let directive = ChatDirective(line) else {
        throw ValidationError("there is no '\(printable(line))' with these words; /help lists all")
      }
      return try follow(directive)
    }
    guard !line.allSatisfy(\.isWhitespace) else { return true }
    let text = line.hasPrefix("//") ? String(line.dropFirst()) : line
    try answer(to: text)
    return true
  }

  /// - Parameter text: the next question; nil to answer the last one.
  private mutating func answer(to text: String?) throws {
    func receive(_ piece: String) -> Bool {
      if !piece.isEmpty { standardOutput.write(piece) }
      return !StoppableTask.shared.isStopping
    }
    let answer = try StoppableTask.shared.run {
      if let text { return try conversation.answer(to: text, receive: receive) }
      return try conversation.answer(receive: receive)
    }
    standardOutput.write("\n")
    lastAnswer = answer
    switch answer.ending {
    case .endOfText: break
    case .stopped: note("stopped; /undo takes the turn back")
    case .length:
      note(
        answer.filledContext
          ? "the context of \(conversation.contextSize) tokens is full; /undo or /clear makes room"
          : "stopped at \(answer.tokenCount) tokens; -n allows more")
    }
  }

  private func note(_ text: String) {
    standardError.write(style.note("flare: \(printable(text))") + "\n")
  }
}

// MARK: Directives

extension ChatLoop {
  private mutating func follow(_ directive: ChatDirective) throws -> Bool {
    switch directive {
    case .help: standardError.write(ChatDirective.list)
    case .system(let text): setSystem(text)
    case .clear: conversation.messages.removeAll { $0.role != "system" }
    case .undo: try takeBack(keepingQuestion: false)
    case .retry:
      let messages = conversation.messages
      try takeBack(keepingQuestion: true)
      do {
        try answer(to: nil)
      } catch {
        conversation.messages = messages
        throw error
      }
    case .save(let path): try save(to: path)
    case .load(let path):
      conversation.messages = try ChatMessage.list(
        try JSONValue(contentsOf: path), subject: "\(path)")
      note("\(conversation.messages.count) messages")
    case .stats: writeStatistics()
    case .exit: return false
    }
    return true
  }

  private func setSystem(_ text: String) {
    guard !text.isEmpty else {
      return note(conversation.messages.first { $0.role == "system" }?.content ?? "no system text")
    }
    conversation.messages.removeAll { $0.role == "system" }
    conversation.messages.insert(.system(text.withLineBreaks), at: 0)
  }

  /// Removes what came behind the last question, and the question too unless it is kept.
  private func takeBack(keepingQuestion: Bool) throws {
    guard let question = conversation.messages.lastIndex(where: { $0.role == "user" }) else {
      throw ValidationError("there is no question to take back")
    }
    conversation.messages.removeSubrange((question + (keepingQuestion ? 1 : 0))...)
  }

  private func save(to path: FilePath) throws {
    let messages = JSONValue.array(conversation.messages.map(\.json))
    let file = try NewFile(path, mayReplace: true)
    try file.write(messages.serialized(isIndented: true) + "\n")
    try file.commit()
    note("wrote \(path), \(conversation.messages.count) messages")
  }

  private func writeStatistics() {
    note("\(conversation.tokenCount) of \(conversation.contextSize) tokens")
    guard let answer = lastAnswer else { return }
    func rate(_ count: Int, _ duration: Duration) -> String {
      let seconds = duration.seconds
      return "\(count) in \(durationText(seconds))"
        + (seconds > 0 ? ", \(decimalText(Double(count) / seconds, 1)) tokens/s" : "")
    }
    let read = answer.promptTokenCount - answer.reusedTokenCount
    note(
      "last question: \(rate(read, answer.promptDuration)) "
        + "(\(answer.reusedTokenCount) kept from before)")
    note("last answer: \(rate(answer.tokenCount, answer.answerDuration))")
  }
}
