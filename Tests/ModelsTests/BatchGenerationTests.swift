import Adapters
import Models
import Quantization
import TestSupport
import Testing

/// Several texts at a time give what each gives alone.
struct BatchGenerationTests {
  /// Requests of mixed lengths, samplers and limits, more than fit side by side.
  private func requests(_ model: LanguageModel, stops: Bool = false) throws -> [GenerationRequest] {
    try (0..<7).map { index in
      let prompt = (0..<[3, 40, 1, 12, 300, 7, 5][index] % 200).map {
        ($0 * 13 + index * 5) % 90 + 3
      }
      let sampling = try SamplingOptions(
        temperature: index % 2 == 0 ? 0 : 1.5, topK: index == 3 ? 8 : nil, seed: UInt64(index))
      let source = (0..<index * 3 + 1).map { ($0 * 7 + index) % 90 + 3 }
      return GenerationRequest(
        prompt,
        // The last one reads none, beside others that do.
        source: model.adapters.readsSource && index < 6 ? .tokens(source) : nil,
        GenerationOptions(
          maximumTokenCount: [12, 1, 30, 0, 8, 20, 12][index], sampling: sampling,
          stopsAtEndOfText: stops))
    }
  }

  struct Case: CustomTestStringConvertible, Sendable {
    let model: String
    var adapters: [String] = []
    var scheme: QuantizationScheme?
    var testDescription: String { "\(model) \(adapters) \(scheme.map { "\($0)" } ?? "float")" }
  }

  static let cases = ["llama", "gemma2"].flatMap { model in
    [
      Case(model: model), Case(model: model, scheme: .int4),
      Case(model: model, adapters: ["lora"], scheme: .int8),
      Case(model: model, adapters: ["flare-add_relu"]),
      Case(model: model, adapters: ["flare-add_relu"], scheme: .int4),
      Case(model: model, adapters: ["flare-matmul"]),
      Case(model: model, adapters: ["lora", "flare-cross-attention"]),
    ]
  }

  private func open(_ test: Case) throws -> LanguageModel {
    let golden = try GoldenModel(test.model)
    guard let scheme = test.scheme else { return try golden.model(test.adapters) }
    let tensors = ConvertedTensors(
      try golden.files().tensors, scheme: scheme, with: try golden.kernels())
    return try golden.model(running: tensors, with: golden.adapters(test.adapters))
  }

  @Test(arguments: cases)
  func `a batch gives each request the text that it gets alone`(test: Case) throws {
    let model = try open(test)
    for stops in [false, true] {
      let requests = try requests(model, stops: stops)
      let alone = try requests.map {
        try model.continuation(of: $0.prompt, source: $0.source, $0.options).tokens
      }
      for width in [1, 3, 20] {
        var received = requests.map { _ in [Int]() }
        var finished: [Int] = []
        let answers = try model.generate(
          batch: requests, BatchOptions(maximumTextCount: width)
        ) { request, token in
          received[request].append(token)
          return true
        } finish: { request, answer in
          finished.append(request)
          #expect(answer.tokens == received[request])
        }
        #expect(answers.map(\.tokens) == alone)
        #expect(finished.sorted() == Array(requests.indices))
        // The second ends first: it wants one token.
        if width == 3 && !stops { #expect(finished != Array(requests.indices)) }
      }
      #expect(Set(alone).count > 4)
    }
  }

  @Test func `a source that is continued is continued for each text alone`() throws {
    let model = try GoldenModel("llama").model(["flare-add_relu"])
    let requests = (0..<3).map { index in
      GenerationRequest(
        [3 + index, 9, 4],
        source: Source(.tokens([5, 6 + index]), isContinued: true),
        GenerationOptions(maximumTokenCount: 10, stopsAtEndOfText: false))
    }
    let alone = try requests.map {
      try model.generate(from: $0.prompt, source: $0.source, $0.options)
    }
    #expect(try model.generate(batch: requests).map(\.tokens) == alone)
  }

  @Test func `texts wait until the caches have room`() throws {
    let model = try GoldenModel("llama").model()
    let request = GenerationRequest(
      [1, 2, 3, 4], GenerationOptions(maximumTokenCount: 6, stopsAtEndOfText: false))
    func order(_ positions: Int?) throws -> [Int] {
      var order: [Int] = []
      try model.generate(
        batch: [request, request, request],
        BatchOptions(maximumTextCount: 3, maximumPositionCount: positions)
      ) { index, _ in
        order.append(index)
        return true
      }
      return order
    }
    // Two texts of ten positions fit at a time, or one, or all.
    #expect(try order(25) == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 2, 2, 2, 2, 2, 2])
    #expect(try order(10) == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2])
    #expect(try order(nil).prefix(6) == [0, 1, 2, 0, 1, 2])
    let error = #expect(throws: ModelError.self) { try order(9) }
    #expect(
      error?.description
        == "request 1: needs 10 positions for its prompt and what may follow, the batch has 9. "
        + "Shorten it or ask for fewer tokens")
  }

  @Test func `a request that is told to stop lets the others go on`() throws {
    let model = try GoldenModel("llama").model()
    let options = GenerationOptions(maximumTokenCount: 9, stopsAtEndOfText: false)
    let answers = try model.generate(
      batch: [GenerationRequest([1, 2], options), GenerationRequest([3], options)]
    ) { request, _ in request == 1 }
    #expect(answers.map(\.ending) == [.stopped, .length])
    #expect(answers.map(\.tokens.count) == [1, 9])
    #expect(answers[1].passCount == 9)
  }

  @Test func `nothing runs when one request cannot`() throws {
    let model = try GoldenModel("llama").model()
    var isCalled = false
    let error = #expect(throws: ModelError.self) {
      try model.generate(batch: [GenerationRequest([1]), GenerationRequest([96])]) { _, _ in
        isCalled = true
        return true
      }
    }
    #expect(
      error?.description == "request 2: token 96 in the text is outside the vocabulary of 96")
    #expect(!isCalled)
  }
}
