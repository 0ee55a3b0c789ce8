import Kernels

/// A request that is being answered.
final class ContinuedText {
  /// The place of the request among all.
  let index: Int
  let text: RunningText
  private(set) var continuation = Continuation()
  private(set) var isDone = false
  private let request: GenerationRequest
  private let limit: Int
  private var sampler: Sampler
  private var lookup: PromptLookup?
  /// The last token of the text, which has not gone through the model yet, and guesses of what
  /// follows it.
  private(set) var next: [Int] = []

  /// - Parameter limit: how many tokens at most, which the model has positions for.
  init(
    _ request: GenerationRequest, at index: Int, limit: Int, with model: LanguageModel
  ) throws(ModelError) {
    self.request = request
    self.index = index
    self.limit = limit
    text = try RunningText(
      model, capacity: request.prompt.count + limit, promptCount: request.prompt.count,
      source: request.source, keyValueType: request.options.keyValueType)
    sampler = Sampler(request.options.sampling)
    lookup = request.lookup
  }

  var prompt: [Int] { request.prompt }

  /// Puts guesses behind the next token.
  ///
  /// - Parameter count: how many at most.
  func guess(atMost count: Int) {
    guard let lookup else { return }
    // The last token that is wanted needs no pass.
    let left = limit - continuation.tokens.count - 1
    next += lookup.candidates(atMost: min(count, left))
  }

  /// Takes tokens from rows of logits, the first of which follows what is certain; the others
  /// follow the guesses, and count as long as these are what is taken.
  ///
  /// A token is taken from the logits that it would have been taken from without guesses, with the
  /// same random number, so that the text is the same.
  func take(
    _ logits: borrowing FloatMatrix, rows: Range<Int>, endOfText: Set<Int>,
    receive: (Int) throws -> Bool
  ) throws {
    let guesses = next.dropFirst()
    var acceptedCount = 0
    continuation.passCount += 1
    for row in rows {
      guard logits[row].isFinite else {
        throw ModelError(logitsAreNoNumbersAt: text.state.positionCount)
      }
      let token = sampler.next(logits[row])
      try deliver(token, endOfText: endOfText, receive: receive)
      let position = row - rows.lowerBound
      guard !isDone, position < guesses.count, guesses[1 + position] == token else { break }
      acceptedCount += 1
    }
    continuation.candidateCount += guesses.count
    continuation.acceptedCount += acceptedCount
    lookup?.adapt(proposed: guesses.count, accepted: acceptedCount)
    if acceptedCount < guesses.count {
      text.state.truncate(to: text.state.positionCount - guesses.count + acceptedCount)
    }
  }

  private func deliver(
    _ token: Int, endOfText: Set<Int>, receive: (Int) throws -> Bool
  ) throws {
    if request.options.stopsAtEndOfText,
      endOfText.contains(token) || request.options.endTokens.contains(token)
    {
      return end(.endOfText)
    }
    continuation.tokens.append(token)
    lookup?.append(token)
    next = [token]
    if try !receive(token) { return end(.stopped) }
    if continuation.tokens.count == limit { end(.length) }
  }

  private func end(_ ending: Continuation.Ending) {
    continuation.ending = ending
    isDone = true
  }
}
