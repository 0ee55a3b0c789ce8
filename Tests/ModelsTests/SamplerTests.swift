import Testing

@testable import Models

struct SamplerTests {
  /// How often each token is taken from `logits`, of 4000 draws.
  func counts(_ logits: [Float], _ options: SamplingOptions) -> [Int] {
    var sampler = Sampler(options)
    var counts = Array(repeating: 0, count: logits.count)
    for _ in 0..<4000 { counts[sampler.next(logits.span)] += 1 }
    return counts
  }

  /// Logits whose softmax is 0.5, 0.25, 0.125, 0.125.
  static let logits: [Float] = [3, 2, 1, 1].map { $0 * 0.693_147_2 }

  @Test func `temperature 0 takes the first of the largest`() {
    #expect(counts([1, 5, 5, 2], .greedy) == [0, 4000, 0, 0])
  }

  @Test func `temperature 1 draws with the probabilities of the softmax`() throws {
    let counts = counts(Self.logits, try SamplingOptions(temperature: 1, seed: 7))
    for (count, probability) in zip(counts, [0.5, 0.25, 0.125, 0.125]) {
      // Five standard deviations.
      let deviation = (4000 * probability * (1 - probability)).squareRoot()
      #expect(abs(Double(count) - 4000 * probability) < 5 * deviation)
    }
  }

  @Test func `a higher temperature evens the draws out`() throws {
    let cold = counts(Self.logits, try SamplingOptions(temperature: 0.5))
    let hot = counts(Self.logits, try SamplingOptions(temperature: 2))
    #expect(cold[0] > hot[0])
  }

  @Test func `top-k, top-p and min-p leave out the unlikely`() throws {
    func drawn(_ options: SamplingOptions) -> [Bool] { counts(Self.logits, options).map { $0 > 0 } }
    #expect(drawn(try SamplingOptions(temperature: 1, topK: 2)) == [true, true, false, false])
    #expect(drawn(try SamplingOptions(temperature: 1, topP: 0.7)) == [true, true, false, false])
    #expect(drawn(try SamplingOptions(temperature: 1, topP: 0.4)) == [true, false, false, false])
    #expect(drawn(try SamplingOptions(temperature: 1, minP: 0.3)) == [true, true, false, false])
    #expect(drawn(try SamplingOptions(temperature: 1)) == [true, true, true, true])
  }

  @Test func `the seed decides the draws`() throws {
    func draws(_ seed: UInt64) throws -> [Int] {
      var sampler = Sampler(try SamplingOptions(temperature: 1, seed: seed))
      return (0..<32).map { _ in sampler.next(Self.logits.span) }
    }
    #expect(try draws(1) == draws(1))
    #expect(try draws(1) != draws(2))
  }

  @Test(
    arguments: [
      (-1, nil, 1, 0, "temperature is -1.0, expected 0 or more"),
      (.nan, nil, 1, 0, "temperature is nan, expected 0 or more"),
      (1, 0, 1, 0, "top-k is 0, expected 1 or more"),
      (1, nil, 0, 0, "top-p is 0.0, expected more than 0 and at most 1"),
      (1, nil, 1, 2, "min-p is 2.0, expected 0 to 1"),
    ] as [(Float, Int?, Float, Float, String)])
  func `an option out of range is refused`(
    temperature: Float, topK: Int?, topP: Float, minP: Float, message: String
  ) {
    let error = #expect(throws: ModelError.self) {
      try SamplingOptions(temperature: temperature, topK: topK, topP: topP, minP: minP)
    }
    #expect(error?.description == message)
  }
}
