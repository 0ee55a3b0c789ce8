import Adapters
import Quantization
import TestSupport
import Testing

@testable import Models

/// Guesses from the prompt change how fast a text comes, never the text.
struct PromptLookupTests {
  @Test func `what followed the longest match last time is the guess`() {
    let lookup = PromptLookup([1, 2, 3, 9, 8, 2, 3, 7, 6, 1, 2, 3], maximumCandidateCount: 2)
    // 2 3 came last before 7, but 1 2 3 came before 9.
    #expect(Array(lookup.candidates(atMost: 8)) == [9, 8])
    #expect(Array(lookup.candidates(atMost: 1)) == [9])
    #expect(lookup.candidates(atMost: 0).isEmpty)
  }

  @Test func `a text without repetition has no guesses`() {
    #expect(PromptLookup(Array(0..<50), maximumCandidateCount: 8).candidates(atMost: 8).isEmpty)
    // One token alone is no match.
    #expect(PromptLookup([4, 5, 6, 4], maximumCandidateCount: 8).candidates(atMost: 8).isEmpty)
    for count in 0..<3 {
      let short = PromptLookup(Array(repeating: 1, count: count), maximumCandidateCount: 8)
      #expect(short.candidates(atMost: 8).isEmpty)
    }
  }

  @Test func `a match may overlap what is matched`() {
    let lookup = PromptLookup([7, 7, 7], maximumCandidateCount: 8)
    #expect(Array(lookup.candidates(atMost: 8)) == [7])
  }

  @Test func `guesses get shorter when they are wrong and longer when they are right`() {
    var lookup = PromptLookup([1], maximumCandidateCount: 8)
    lookup.adapt(proposed: 8, accepted: 2)
    #expect(lookup.candidateCount == 3)
    lookup.adapt(proposed: 3, accepted: 0)
    #expect(lookup.candidateCount == 1)
    lookup.adapt(proposed: 0, accepted: 0)
    #expect(lookup.candidateCount == 1)
    for expected in [2, 4, 8, 8] {
      lookup.adapt(proposed: lookup.candidateCount, accepted: lookup.candidateCount)
      #expect(lookup.candidateCount == expected)
    }
  }

  @Test(arguments: SharedPassTests.cases.filter { $0.adapter != "dora" && $0.scheme != .int8 })
  func `a text is the same with guesses, greedy and sampled`(test: SharedPassTests.Case) throws {
    let model = try test.open()
    // Longer than Gemma's window, and the tiny models soon repeat themselves.
    let prompt = (0..<60).map { $0 % 12 + 20 }
    let source: Source? = model.adapters.readsSource ? .tokens(prompt.map { $0 + 1 }) : nil
    var accepted = 0
    for sampling in [.greedy, try SamplingOptions(temperature: 0.3, topP: 0.9, seed: 4)] {
      var options = GenerationOptions(
        maximumTokenCount: 80, sampling: sampling, stopsAtEndOfText: false)
      let plain = try model.continuation(of: prompt, source: source, options)
      options.maximumCandidateCount = 6
      let guessed = try model.continuation(of: prompt, source: source, options)
      #expect(guessed.tokens == plain.tokens)
      #expect(plain.passCount == 80 && plain.candidateCount == 0)
      #expect(guessed.passCount + guessed.acceptedCount == 80)
      #expect(guessed.acceptedCount <= guessed.candidateCount)
      #expect(guessed.candidateCount > 0)
      accepted += guessed.acceptedCount
      let batch = Array(repeating: GenerationRequest(prompt, source: source, options), count: 3)
      #expect(try model.generate(batch: batch).map(\.tokens) == batch.map { _ in plain.tokens })
    }
    if test.model == "llama" { #expect(accepted > 0) }
  }

  @Test func `a text that is told to stop, or ends, stops inside its guesses`() throws {
    let model = try GoldenModel("llama").model()
    let prompt = (0..<60).map { $0 % 12 + 20 }
    var options = GenerationOptions(maximumTokenCount: 80)
    for count in 1..<40 {
      func tokens() throws -> [Int] {
        var received = 0
        return try model.generate(from: prompt, options) { _ in
          received += 1
          return received < count
        }
      }
      options.maximumCandidateCount = 0
      let plain = try tokens()
      options.maximumCandidateCount = 7
      #expect(try tokens() == plain)
    }
  }

  @Test func `guesses are refused where a pass cannot verify them`() throws {
    let options = GenerationOptions(maximumTokenCount: 4, maximumCandidateCount: 2)
    let mixing = try GoldenModel("llama").model(["flare-matmul"])
    let mixed = #expect(throws: ModelError.self) {
      try mixing.generate(from: [1, 2], source: .tokens([3]), options)
    }
    #expect(
      mixed?.description == "speculation cannot verify several tokens at once: "
        + "the fusion 'matmul' mixes the positions of a pass")
    // Without a source it is a plain LoRA.
    #expect(try mixing.generate(from: [1, 2], options).count <= 4)
    let adding = try GoldenModel("llama").model(["flare-add"])
    let continued = #expect(throws: ModelError.self) {
      try adding.generate(
        from: [1, 2], source: Source(.tokens([3]), isContinued: true), options)
    }
    #expect(continued?.description.contains("the source is continued") == true)
  }
}
