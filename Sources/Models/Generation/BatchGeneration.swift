import Adapters
import Kernels

/// How many requests are answered side by side.
public struct BatchOptions: Sendable {
  /// Texts that go through the model together.
  public var maximumTextCount: Int
  /// Positions that the KV caches of these texts have together; nil for no bound.
  public var maximumPositionCount: Int?

  public init(maximumTextCount: Int = 8, maximumPositionCount: Int? = nil) {
    self.maximumTextCount = maximumTextCount
    self.maximumPositionCount = maximumPositionCount
  }
}

extension LanguageModel {
  /// Continues several texts, which share every pass over the weights.
  ///
  /// A request enters as soon as another has left and the KV caches have room for its prompt and
  /// all tokens that may follow. Prompts go through the model one by one, in the chunks that they
  /// have alone, and then all texts step by step, each with its own sampler.
  ///
  /// A request gets the text that it gets alone, bit for bit, with quantized weights and no adapter
  /// at any size; with float weights or with adapters, whose factors are floats, up to 47 texts:
  /// from 48 rows on, products with floats are summed in another order.
  ///
  /// - Parameters:
  ///   - receive: called with each token as soon as it is chosen, and the place of its request;
  ///     returning false ends that text. End-of-text tokens are not delivered.
  ///   - finish: called with each answer as soon as it is complete.
  /// - Returns: the answers, in the order of the requests.
  /// - Throws: `ModelError`, naming the request, before anything runs when one of them cannot run:
  ///   see `generate(from:)`; and for logits that are not numbers.
  @discardableResult
  public func generate(
    batch requests: [GenerationRequest], _ options: BatchOptions = BatchOptions(),
    receive: (_ request: Int, _ token: Int) throws -> Bool = { _, _ in true },
    finish: (_ request: Int, _ answer: Continuation) throws -> Void = { _, _ in }
  ) throws -> [Continuation] {
    let limits = try requests.enumerated().map { index, request in
      do throws(ModelError) {
        return try request.check(for: self, in: options)
      } catch {
        throw ModelError(error.code, "request \(index + 1): \(error)")
      }
    }
    var batch = BatchGeneration(requests, limits: limits, options, with: self)
    return try batch.run(receive: receive, finish: finish)
  }

  /// Checks that a request can be answered.
  ///
  /// - Throws: `ModelError` when its prompt is empty, leaves no position, or has a token outside the
  ///   vocabulary; when no adapter reads its source; when its candidates cannot be verified.
  public func check(_ request: GenerationRequest) throws(ModelError) {
    _ = try request.check(for: self)
  }
}

/// Requests on their way through a model.
struct BatchGeneration: ~Copyable {
  private let model: LanguageModel
  private let requests: [GenerationRequest]
  /// How many tokens each may get.
  private let limits: [Int]
  private let options: BatchOptions
  private var work: Workspace
  /// The first request that has not begun.
  private var waiting = 0
  private var active: [ContinuedText] = []
  private var answers: [Continuation]

  /// - Precondition: all requests have been checked.
  init(
    _ requests: [GenerationRequest], limits: [Int], _ options: BatchOptions,
    with model: LanguageModel
  ) {
    precondition(options.maximumTextCount > 0, "Text count out of bounds")
    self.model = model
    self.requests = requests
    self.limits = limits
    self.options = options
    answers = requests.map { _ in Continuation() }
    let candidateCount = requests.map(\.options.maximumCandidateCount).max() ?? 0
    let textCount = min(options.maximumTextCount, requests.count)
    let rows = requests.map { request in
      let mixes = request.source != nil && model.adapters.mixesPositions
      return mixes ? request.prompt.count : min(request.prompt.count, Workspace.chunkSize)
    }
    let stepRows = max(textCount, min(textCount * (1 + candidateCount), Kernels.exactRowCount))
    work = Workspace(
      model.transformer, rowCapacity: max(stepRows, rows.max() ?? 0), logitCapacity: textCount)
  }

  mutating func run(
    receive: (Int, Int) throws -> Bool, finish: (Int, Continuation) throws -> Void
  ) throws -> [Continuation] {
    while waiting < requests.count || !active.isEmpty {
      while waiting < requests.count, hasRoom { try begin(receive: receive, finish: finish) }
      for pass in ForwardPass.allCases {
        let texts = active.filter { $0.text.state.pass == pass }
        if !texts.isEmpty { try step(texts, pass, receive: receive) }
      }
      for text in active where text.isDone { try end(text, finish: finish) }
      active.removeAll(where: \.isDone)
    }
    return answers
  }

  /// Whether the next request can enter.
  private var hasRoom: Bool {
    guard active.count < options.maximumTextCount else { return false }
    let needed = requests[waiting].prompt.count + limits[waiting]
    let taken = active.reduce(0) { $0 + $1.text.state.capacity }
    return taken + needed <= options.maximumPositionCount ?? Int.max
  }

  /// Sends the prompt of the next request through the model, and takes its first token.
  private mutating func begin(
    receive: (Int, Int) throws -> Bool, finish: (Int, Continuation) throws -> Void
  ) throws {
    defer { waiting += 1 }
    guard limits[waiting] > 0 else { return try finish(waiting, answers[waiting]) }
    let text = try ContinuedText(
      requests[waiting], at: waiting, limit: limits[waiting], with: model)
    let chunks = try text.text.chunks(of: text.prompt)
    for (index, chunk) in chunks.enumerated() {
      let context = text.text.advance(over: chunk, &work)
      guard index == chunks.count - 1 else { continue }
      model.transformer.writeLogits(&work, onlyLast: true, context)
    }
    try take(text, rows: 0..<1, receive: receive)
    if text.isDone { try end(text, finish: finish) } else { active.append(text) }
  }

  /// Sends the next token of every text, and what it guesses behind it, through the model.
  private mutating func step(
    _ texts: [ContinuedText], _ pass: ForwardPass, receive: (Int, Int) throws -> Bool
  ) throws {
    for text in texts { text.guess(atMost: Kernels.exactRowCount / texts.count - 1) }
    var context = PassContext(model.kernels, pass)
    for text in texts { text.text.append(text.next, to: &context) }
    model.transformer.advance(context, &work)
    model.transformer.writeLogits(&work, onlyLast: false, context)
    for (text, segment) in zip(texts, context.segments) {
      try take(text, rows: segment.rows, receive: receive)
    }
  }

  private func take(
    _ text: ContinuedText, rows: Range<Int>, receive: (Int, Int) throws -> Bool
  ) throws {
    try text.take(work.logits, rows: rows, endOfText: model.endOfTextTokens) { token in
      try receive(text.index, token)
    }
  }

  private mutating func end(
    _ text: ContinuedText, finish: (Int, Continuation) throws -> Void
  ) throws {
    answers[text.index] = text.continuation
    try finish(text.index, text.continuation)
  }
}

extension GenerationRequest {
  /// The same with the bounds of a batch.
  fileprivate func check(
    for model: LanguageModel, in options: BatchOptions
  ) throws(ModelError) -> Int {
    let limit = try check(for: model)
    let needed = prompt.count + limit
    guard needed <= options.maximumPositionCount ?? Int.max else {
      throw ModelError(
        .request,
        "needs \(needed) positions for its prompt and what may follow, the batch has "
          + "\(options.maximumPositionCount ?? 0). Shorten it or ask for fewer tokens")
    }
    return limit
  }
}
