import Adapters
import Kernels
import Models
import SystemPackage
import TestSupport
import Testing

/// Greedy texts of FLARE adapters against the reference's, one position at a time.
struct SourceGenerationTests {
  static let options = GenerationOptions(maximumTokenCount: 48, stopsAtEndOfText: false)

  func text(_ golden: GoldenModel, _ adapter: String, _ source: Source) throws -> [Int] {
    let prompt = Array(try golden.tokens("tokens").prefix(8))
    return try golden.model([adapter]).generate(from: prompt, source: source, Self.options)
  }

  @Test(arguments: ["llama", "gemma2"])
  func `a fusion that mixes positions sees the prompt whole and then one position at a time`(
    model: String
  ) throws {
    let golden = try GoldenModel(model)
    for name in EveryAdapterTests.fusions {
      let source: Source =
        name == "flare-mt"
        ? .states(try golden.tensor("source_states"))
        : .tokens(try golden.tokens("source_tokens"))
      #expect(try text(golden, name, source) == golden.tokens("greedy.\(name)"), "\(name)")
    }
  }

  @Test(arguments: [
    ("llama", "last", SourceAlignment.last, false),
    ("llama", "source-decode", .right, true),
    // The base ends its source early: its last state is held from there.
    ("llama", "source-end", .right, true),
    ("gemma2", "last", .last, false),
    ("gemma2", "source-decode", .right, true),
  ])
  func `a source is aligned and continued as the reference does it`(
    model: String, label: String, alignment: SourceAlignment, isContinued: Bool
  ) throws {
    let golden = try GoldenModel(model)
    let source = Source(
      .tokens(try golden.tokens("source_tokens.\(label)")), alignment: alignment,
      isContinued: isContinued)
    let expected = try golden.tokens("greedy.flare-add_relu.\(label)")
    #expect(try text(golden, "flare-add_relu", source) == expected)
    let plain = Source(source.content)
    #expect(try text(golden, "flare-add_relu", plain) != expected)
  }

  @Test func `a prompt that comes in pieces is refused where positions mix`() throws {
    let golden = try GoldenModel("llama")
    let tokens = try golden.tokens("tokens")
    var session = try Session(
      golden.model(["flare-matmul"]), capacity: 40, promptCount: 40,
      source: .tokens(golden.tokens("source_tokens")))
    let error = #expect(throws: ModelError.self) {
      _ = try session.append(Array(tokens[..<20]))
    }
    #expect(error?.description.contains("its 40 tokens have to come together; got 20") == true)
  }

  @Test func `a prompt longer than a chunk is still fused whole`() throws {
    let golden = try GoldenModel("gemma2")
    let model = try golden.model(["flare-matmul_relu"])
    let tokens = (0..<300).map { $0 * 13 % 90 + 3 }
    let source = Source.tokens((0..<280).map { $0 * 7 % 90 + 3 })
    let whole = try model.logits(of: tokens, source: source)
    #expect(whole.rowCount == 300)
    // The first position reads the Gram matrix of all 300, so a shorter prompt gives it another.
    let shorter = try model.logits(of: Array(tokens[..<256]), source: source)
    #expect(whole[0][0] != shorter[0][0])
  }

  @Test func `a cached source gives the same bits as a source that is read`() throws {
    let golden = try GoldenModel("llama")
    let source = Source.tokens(try golden.tokens("source_tokens"))
    let tokens = try golden.tokens("tokens")
    try withTemporaryDirectory { directory in
      for adapters in [["flare-add_relu"], ["lora", "flare-add"]] {
        let model = try golden.model(adapters)
        let path = directory.appending("\(adapters.count).safetensors")
        try model.sourceCache(of: source).write(to: path)
        let cache = try SourceCache(path, with: golden.kernels())
        #expect(
          try model.logitArray(of: tokens, reading: .cache(cache))
            == model.logitArray(of: tokens, reading: source))
        let other = try golden.model(["flare-add_relu"].filter { _ in adapters.count > 1 })
        #expect(throws: ModelError.self) {
          try other.logitArray(of: tokens, reading: .cache(cache))
        }
      }
    }
  }

  @Test func `a cache knows the weights it was made with`() throws {
    let golden = try GoldenModel("llama")
    let source = Source.tokens(try golden.tokens("source_tokens"))
    let cache = try golden.model(["flare-add"]).sourceCache(of: source)
    let onTask = try golden.model(["lora", "flare-add"])
    let error = #expect(throws: ModelError.self) {
      try onTask.logitArray(of: [1], reading: .cache(cache))
    }
    #expect(error?.code == .sourceCache)
  }

  @Test func `sources of the wrong kind are refused`() throws {
    let golden = try GoldenModel("llama")
    let states = Source.states(try golden.tensor("source_states"))
    let text = Source.tokens(try golden.tokens("source_tokens"))
    let encoder = try golden.model(["flare-mt"])
    let fusing = try golden.model(["flare-add"])
    #expect(throws: ModelError.self) { try encoder.logitArray(of: [1], reading: text) }
    #expect(throws: ModelError.self) { try fusing.logitArray(of: [1], reading: states) }
    let continued = Source(states.content, isContinued: true)
    #expect(throws: ModelError.self) { try encoder.logitArray(of: [1], reading: continued) }
  }
}
