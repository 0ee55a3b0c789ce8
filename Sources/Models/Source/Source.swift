public import Adapters
public import Tensors

/// What a FLARE adapter reads beside the target text, and how the two are paired.
///
///     let answer = try model.generate(from: prompt, source: .tokens(translation))
public struct Source: Sendable {
  public enum Content: Sendable {
    /// A text, usually the prompt's English translation, that the base reads.
    case tokens([Int])
    /// The states of a translation model's encoder, `[positions, encoderSize]`, for FLARE-MT.
    case states(Tensor)
    /// What an earlier reading of a text came to.
    case cache(SourceCache)
  }

  public let content: Content
  /// nil for what the adapter says.
  public var alignment: SourceAlignment?
  /// Whether the base goes on writing the source while the target is decoded.
  ///
  /// It does so greedily, and generated tokens pair with generated tokens. Otherwise the last state
  /// is held.
  public var isContinued: Bool

  public init(
    _ content: Content, alignment: SourceAlignment? = nil, isContinued: Bool = false
  ) {
    self.content = content
    self.alignment = alignment
    self.isContinued = isContinued
  }

  public static func tokens(_ tokens: [Int]) -> Source { Source(.tokens(tokens)) }
  public static func states(_ states: Tensor) -> Source { Source(.states(states)) }
  public static func cache(_ cache: SourceCache) -> Source { Source(.cache(cache)) }
}
