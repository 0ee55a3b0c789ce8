/// What a text was continued with, and what that took.
public struct Continuation: Sendable, Hashable {
  /// Why a continuation ends.
  public enum Ending: String, Sendable {
    /// The model ended the text.
    case endOfText = "end-of-text"
    /// It has as many tokens as were asked for, or as the model has positions.
    case length
    /// The caller wanted no more.
    case stopped
  }

  /// The tokens that were delivered; never one that ends the text.
  public internal(set) var tokens: [Int] = []
  public internal(set) var ending: Ending = .length
  /// Passes through the model, that of the prompt's last chunk included.
  public internal(set) var passCount = 0
  /// Tokens that were guessed, and verified in passes that were needed anyway.
  public internal(set) var candidateCount = 0
  /// How many of them were what the model would have written.
  public internal(set) var acceptedCount = 0

  /// More than one when guesses were right.
  public var tokensPerPass: Double {
    passCount == 0 ? 0 : Double(tokens.count) / Double(passCount)
  }
}
