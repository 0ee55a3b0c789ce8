/// What a model answered, and what that took.
public struct ChatAnswer: Sendable, Hashable {
  public internal(set) var text = ""
  public internal(set) var ending = Continuation.Ending.length
  /// Tokens of the answer.
  public internal(set) var tokenCount = 0
  /// Tokens of the conversation before it.
  public internal(set) var promptTokenCount = 0
  /// How many of them the KV cache had from the turn before.
  public internal(set) var reusedTokenCount = 0
  public internal(set) var promptDuration = Duration.zero
  public internal(set) var answerDuration = Duration.zero
  /// Whether the answer ends because the context has no room for more.
  public internal(set) var filledContext = false
}
