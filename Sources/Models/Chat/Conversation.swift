public import JSON
import Kernels
public import Templates
import Tokenizers

/// A conversation with a model, whose KV cache serves all of its turns.
///
///     let template = try ChatTemplate(of: files)
///     let conversation = try Conversation(with: model, template)
///     conversation.messages = [.system("Answer in one sentence.")]
///     let answer = try conversation.answer(to: "Who built the bridge?") { print($0); return true }
///
/// Each turn renders all messages with the template; only what differs from the turn before goes
/// through the model. Nothing is dropped when the context is full: the turn fails and says so.
/// FLARE adapters run as plain LoRA here, since a conversation has no source beside it.
public final class Conversation {
  public let model: LanguageModel
  public let template: ChatTemplate
  public var options: GenerationOptions
  /// What has been said; it can be changed between turns.
  public var messages: [ChatMessage] = []
  /// What else the template is given.
  public var variables: JSONObject = [:]
  /// The most tokens that the conversation can have.
  public let contextSize: Int
  private let tokenizer: Tokenizer
  private let endOfTurnTokens: Set<Int>
  private var session: Session
  /// The tokens that the session has.
  private var tokens: [Int] = []
  private var sampler: Sampler

  /// - Parameters:
  ///   - options: how answers are written, with `maximumTokenCount` for one answer.
  ///   - contextSize: the most tokens of the conversation; nil for what the model can hold.
  /// - Throws: `ModelError` when the model has no tokenizer, the context is larger than the model
  ///   allows, or the options ask for candidates, which a conversation does not verify.
  public init(
    with model: LanguageModel, _ template: ChatTemplate,
    _ options: GenerationOptions = GenerationOptions(), contextSize: Int? = nil
  ) throws(ModelError) {
    let limit = model.configuration.maximumPositionCount
    guard 1...limit ~= contextSize ?? limit else {
      throw ModelError(
        .request, "the context is \(contextSize ?? 0) tokens, expected 1 to \(limit)")
    }
    guard options.maximumCandidateCount == 0 else {
      throw ModelError(.request, "a conversation does not speculate; ask for no candidates")
    }
    self.model = model
    self.template = template
    self.options = options
    self.contextSize = contextSize ?? limit
    tokenizer = try model.textTokenizer
    endOfTurnTokens = template.endOfTurnTokens(for: tokenizer)
      .union(model.endOfTextTokens).union(options.endTokens)
    session = try Session(
      model, capacity: self.contextSize, promptCount: 0, keyValueType: options.keyValueType)
    sampler = Sampler(options.sampling)
  }

  /// Answers `text`, and adds both to the messages.
  ///
  /// - Parameters:
  ///   - date: what the template is told when it asks for the date.
  ///   - receive: called behind each token with the text that it completed, which may be empty, and
  ///     while the question is read; returning false ends the answer.
  /// - Throws: `TemplateError` when the template refuses the conversation, `ModelError` when it does
  ///   not fit the context. The messages are then as before.
  @discardableResult
  public func answer(
    to text: String, date: CalendarDate = .now, receive: (String) throws -> Bool = { _ in true }
  ) throws -> ChatAnswer {
    messages.append(.user(text))
    do {
      return try answer(date: date, receive: receive)
    } catch {
      messages.removeLast()
      throw error
    }
  }

  /// Answers the messages as they stand, and adds the answer to them.
  ///
  /// - Throws: as `answer(to:)`.
  @discardableResult
  public func answer(
    date: CalendarDate = .now, receive: (String) throws -> Bool = { _ in true }
  ) throws -> ChatAnswer {
    let text = try template.render(messages, variables: variables, date: date)
    let prompt = tokenizer.encode(text, addingSpecialTokens: false)
    try check(prompt)
    var answer = ChatAnswer()
    try run(prompt, into: &answer, receive: receive)
    messages.append(.assistant(answer.text))
    return answer
  }

  /// How many tokens the messages take in the model, as far as they have gone through it.
  public var tokenCount: Int { tokens.count }

  private func check(_ prompt: [Int]) throws(ModelError) {
    guard !prompt.isEmpty else {
      throw ModelError(.chat, "the template makes no text of this conversation")
    }
    guard prompt.count < contextSize else {
      throw ModelError(
        .chat,
        "the conversation has \(prompt.count) tokens and the context \(contextSize), so nothing "
          + "can be answered. Take turns back, begin again, or choose a larger context")
    }
  }
}

// MARK: Through the model

extension Conversation {
  private func run(
    _ prompt: [Int], into answer: inout ChatAnswer, receive: (String) throws -> Bool
  ) throws {
    let clock = ContinuousClock()
    let start = clock.now
    answer.promptTokenCount = prompt.count
    answer.reusedTokenCount = keepPrefix(of: prompt)
    guard var logits = try read(prompt[answer.reusedTokenCount...], receive: receive) else {
      answer.ending = .stopped
      return
    }
    let promptEnd = clock.now
    answer.promptDuration = promptEnd - start
    defer { answer.answerDuration = clock.now - promptEnd }
    var decoder = tokenizer.streamingDecoder()
    func deliver(_ piece: String) throws -> Bool {
      answer.text += piece
      return try receive(piece)
    }
    while answer.tokenCount < options.maximumTokenCount {
      let token = sampler.next(logits[0])
      if options.stopsAtEndOfText, endOfTurnTokens.contains(token) {
        answer.ending = .endOfText
        break
      }
      answer.tokenCount += 1
      guard try deliver(decoder.append(token)) else {
        answer.ending = .stopped
        break
      }
      guard tokens.count < contextSize else {
        answer.filledContext = true
        break
      }
      logits = try append([token])
    }
    let rest = decoder.finish()
    if !rest.isEmpty { _ = try deliver(rest) }
  }

  /// Forgets what the session has beyond its common beginning with `prompt`.
  ///
  /// - Returns: how many tokens of the prompt the session has; always fewer than all.
  private func keepPrefix(of prompt: [Int]) -> Int {
    let common = zip(tokens, prompt).prefix { $0 == $1 }.count
    // The last token has to go through the model for the logits behind it.
    var kept = min(common, prompt.count - 1)
    if kept < tokens.count, !session.canTruncate(to: kept) { kept = 0 }
    if kept < tokens.count {
      session.truncate(to: kept)
      tokens.removeSubrange(kept...)
    }
    return kept
  }

  /// Sends a question through the model.
  ///
  /// - Returns: the logits behind it; nil when the caller wants no more.
  private func read(
    _ tokens: ArraySlice<Int>, receive: (String) throws -> Bool
  ) throws -> FloatMatrix? {
    let chunks = Array(tokens).chunks(of: Workspace.chunkSize)
    for chunk in chunks.dropLast() {
      _ = try append(Array(chunk))
      guard try receive("") else { return nil }
    }
    return try append(Array(chunks[chunks.count - 1]))
  }

  private func append(_ new: [Int]) throws(ModelError) -> FloatMatrix {
    let logits = try session.append(new)
    tokens += new
    return logits
  }
}
