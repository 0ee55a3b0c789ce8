import Adapters
import Kernels
import Models
import TestSupport
import Testing

/// One copy of a base serves several adapters at once.
struct SharedBaseTests {
  /// The logits behind each token, one token at a time.
  func logits(
    _ model: LanguageModel, _ tokens: [Int], source: Source? = nil
  ) throws -> [[Float]] {
    var session = try Session(
      model, capacity: tokens.count, promptCount: 1, source: source)
    return try tokens.map { try session.append([$0]).values }
  }

  @Test(arguments: ["llama", "gemma2"])
  func `adapters that take turns on one base give what each gives alone`(name: String) throws {
    let golden = try GoldenModel(name)
    let tokens = try golden.tokens("tokens")
    let source = Source.tokens(try golden.tokens("source_tokens"))
    let alone = [
      try logits(golden.model(), tokens), try logits(golden.model(["lora"]), tokens),
      try logits(golden.model(["flare-add_relu"]), tokens, source: source),
      try logits(golden.model(["saved-head"]), tokens),
    ]

    let base = try golden.model()
    func adapted(_ adapter: String) throws -> LanguageModel {
      try base.adapted(by: golden.adapters([adapter]).map { AdapterStack.Member($0) })
    }
    func session(_ model: LanguageModel, _ source: Source? = nil) throws -> Session {
      try Session(model, capacity: tokens.count, promptCount: 1, source: source)
    }
    var plain = try session(base)
    var lora = try session(adapted("lora"))
    var flare = try session(adapted("flare-add_relu"), source)
    var head = try session(adapted("saved-head"))
    for (position, token) in tokens.enumerated() {
      let turn = [
        try plain.append([token]).values, try lora.append([token]).values,
        try flare.append([token]).values, try head.append([token]).values,
      ]
      #expect(turn == alone.map { $0[position] })
      #expect(Set(turn).count == 4)
    }
  }

  @Test(arguments: ["llama", "gemma2"])
  func `adapters off again, the base is what it was, bit for bit`(name: String) throws {
    let golden = try GoldenModel(name)
    let tokens = try golden.tokens("tokens")
    let base = try golden.model()
    let before = try base.logitArray(of: tokens)
    for adapter in ["lora", "embedding", "resized", "flare-cross-attention"] {
      let adapted = try base.adapted(
        by: golden.adapters([adapter]).map { AdapterStack.Member($0) })
      let known = Array(tokens.prefix(20))
      #expect(try adapted.logitArray(of: known) != base.logitArray(of: known))
      let back = try adapted.adapted(by: [])
      #expect(back.configuration.vocabularySize == base.configuration.vocabularySize)
      #expect(try back.logitArray(of: tokens) == before)
    }
    #expect(try base.logitArray(of: tokens) == before)
  }

  @Test func `an adapter swapped in for another gives what it gives alone`() throws {
    let golden = try GoldenModel("llama")
    let tokens = try golden.tokens("tokens")
    var model = try golden.model()
    for name in ["lora", "dora", "lora-2", "lora"] {
      model = try model.adapted(by: golden.adapters([name]).map { AdapterStack.Member($0) })
      #expect(try model.logitArray(of: tokens) == golden.model([name]).logitArray(of: tokens))
    }
  }

  @Test func `an adapter that does not fit leaves the model as it is`() throws {
    let (llama, gemma) = (try GoldenModel("llama"), try GoldenModel("gemma2"))
    let tokens = try llama.tokens("tokens")
    let model = try llama.model(["lora"])
    let before = try model.logitArray(of: tokens)
    let foreign = try gemma.adapters(["lora"])
    #expect(throws: AdapterError.self) {
      try model.adapted(by: foreign.map { AdapterStack.Member($0) })
    }
    #expect(try model.logitArray(of: tokens) == before)
  }
}

extension FloatMatrix {
  fileprivate var values: [Float] {
    let elements = elements
    return elements.indices.map { elements[$0] }
  }
}
