import Adapters

/// A text to continue, as one of several.
public struct GenerationRequest: Sendable {
  /// Tokens, the beginning-of-text token included.
  public var prompt: [Int]
  /// What a FLARE adapter reads beside the text.
  public var source: Source?
  public var options: GenerationOptions

  public init(
    _ prompt: [Int], source: Source? = nil, _ options: GenerationOptions = GenerationOptions()
  ) {
    self.prompt = prompt
    self.source = source
    self.options = options
  }
}

extension GenerationRequest {
  /// How many tokens can follow, after checking that the model can run the request.
  ///
  /// - Throws: `ModelError` for a prompt or a source that is empty, too long or outside the
  ///   vocabulary, a source that no adapter reads, and candidates where they cannot be verified.
  func check(for model: LanguageModel) throws(ModelError) -> Int {
    try model.check(prompt, "text")
    let count = min(options.maximumTokenCount, try model.room(after: prompt, "prompt"))
    guard let source else { return count }
    try model.check(source)
    if case .tokens(let tokens) = source.content { _ = try model.room(after: tokens, "source") }
    guard options.maximumCandidateCount > 0 else { return count }
    // Several positions go through the model together, of which some may then be dropped.
    let reason =
      model.adapters.mixesPositions
      ? "the fusion '\(model.adapters.fusion?.rawValue ?? "")' mixes the positions of a pass"
      : source.isContinued ? "the source is continued beside the text" : nil
    guard let reason else { return count }
    throw ModelError(.request, "speculation cannot verify several tokens at once: \(reason)")
  }

  /// What a guess can be taken from.
  var lookup: PromptLookup? {
    guard options.maximumCandidateCount > 0 else { return nil }
    var sourceTokens: [Int] = []
    if case .tokens(let tokens)? = source?.content { sourceTokens = tokens }
    return PromptLookup(
      sourceTokens + prompt, maximumCandidateCount: options.maximumCandidateCount)
  }
}

extension LanguageModel {
  /// How many positions are left behind a text.
  fileprivate func room(after tokens: [Int], _ what: String) throws(ModelError) -> Int {
    let limit = configuration.maximumPositionCount
    guard tokens.count < limit else {
      throw ModelError(
        .request,
        "the \(what) has \(tokens.count) tokens and the model \(limit) positions; shorten it")
    }
    return limit - tokens.count
  }
}
