public import Tokenizers

extension ChatTemplate {
  /// The control token that the template writes behind an answer, which the model writes when it has
  /// answered.
  ///
  /// Many checkpoints name only the end of the text in their configuration, and would go on to
  /// write the next question themselves.
  ///
  /// - Returns: none when there is no such token, or the template refuses a plain conversation.
  public func endOfTurnTokens(for tokenizer: Tokenizer) -> Set<Int> {
    let answer = "flare-answer"
    let messages = [ChatMessage.user("flare-question"), .assistant(answer)]
    guard let text = try? render(messages, addsGenerationPrompt: false),
      let range = text.firstRange(of: answer)
    else { return [] }
    for id in tokenizer.encode(String(text[range.upperBound...]), addingSpecialTokens: false) {
      if tokenizer.isSpecial(id) { return [id] }
      guard tokenizer.decode([id]).allSatisfy(\.isWhitespace) else { return [] }
    }
    return []
  }
}
