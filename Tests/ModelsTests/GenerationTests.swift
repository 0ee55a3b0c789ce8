import Kernels
import Models
import TestSupport
import Testing

struct GenerationTests {
  @Test func `a prompt longer than a chunk gives the logits of one read in pieces`() throws {
    let golden = try GoldenModel("gemma2")
    let model = try golden.model(["flare-add_relu"])
    let tokens = (0..<300).map { $0 * 13 % 90 }
    let source = (0..<280).map { $0 * 7 % 90 }
    let whole = try model.logits(of: tokens, source: .tokens(source))
    var session = try Session(
      model, capacity: tokens.count, promptCount: tokens.count, source: .tokens(source),
      keyValueType: .float32)
    _ = try session.logits(of: Array(tokens[..<299]))
    let last = try session.append([tokens[299]])
    let row = whole[299]
    expectClose(
      last.elements.indices.map { last.elements[$0] }, row.indices.map { row[$0] }, within: 1e-3)
  }

  @Test func `generation stops at an end of text, at the limit, and when told`() throws {
    let golden = try GoldenModel("llama")
    let model = try golden.model()
    let prompt = Array(try golden.tokens("tokens").prefix(8))
    let five = GenerationOptions(maximumTokenCount: 5, stopsAtEndOfText: false)
    #expect(try model.generate(from: prompt, five).count == 5)
    #expect(
      try model.generate(from: prompt, GenerationOptions(maximumTokenCount: 0)) == [])
    // The model has 256 positions.
    let all = GenerationOptions(maximumTokenCount: 1 << 40, stopsAtEndOfText: false)
    #expect(try model.generate(from: prompt, all).count == 248)
    var received = 0
    let stopped = try model.generate(from: prompt, five) { _ in
      received += 1
      return received < 2
    }
    #expect(stopped.count == 2)
  }

  @Test func `a seed repeats a sampled text and another changes it`() throws {
    let golden = try GoldenModel("llama")
    let model = try golden.model()
    func text(_ seed: UInt64) throws -> [Int] {
      let sampling = try SamplingOptions(temperature: 2, seed: seed)
      return try model.generate(
        from: [1, 2, 3],
        GenerationOptions(maximumTokenCount: 24, sampling: sampling, stopsAtEndOfText: false))
    }
    #expect(try text(3) == text(3))
    #expect(try text(3) != text(4))
  }

  @Test func `what cannot be read is refused`() throws {
    let golden = try GoldenModel("llama")
    let plain = try golden.model()
    let flare = try golden.model(["flare-add"])
    #expect(throws: ModelError.self) { try plain.logitArray(of: []) }
    #expect(throws: ModelError.self) { try plain.logitArray(of: [-1]) }
    #expect(throws: ModelError.self) { try plain.logitArray(of: [1], source: [1]) }
    #expect(throws: ModelError.self) { try flare.logitArray(of: [1], source: []) }
    #expect(throws: ModelError.self) { try flare.logitArray(of: [1], source: [96]) }
    #expect(throws: ModelError.self) { try plain.generate(from: "text") }
    let long = Array(repeating: 1, count: 256)
    #expect(throws: ModelError.self) { try plain.generate(from: long) }
    #expect(throws: ModelError.self) { try flare.generate(from: [1], source: .tokens(long)) }
  }
}
