#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How the next token is chosen from the logits.
public struct SamplingOptions: Sendable, Hashable {
  /// Divides the logits; 0 always takes the largest.
  public var temperature: Float = 0
  /// Only the `topK` most likely tokens; nil for all.
  public var topK: Int?
  /// Only the most likely tokens that together reach this probability; 1 for all.
  public var topP: Float = 1
  /// Only tokens at least this fraction as likely as the most likely one; 0 for all.
  public var minP: Float = 0
  /// The same seed gives the same text.
  public var seed: UInt64 = 0

  public init(
    temperature: Float = 0, topK: Int? = nil, topP: Float = 1, minP: Float = 0, seed: UInt64 = 0
  ) throws(ModelError) {
    func require(_ condition: Bool, _ text: String) throws(ModelError) {
      guard condition else { throw ModelError(.request, text) }
    }
    try require(
      temperature >= 0 && temperature.isFinite, "temperature is \(temperature), expected 0 or more")
    try require(topK ?? 1 >= 1, "top-k is \(topK ?? 0), expected 1 or more")
    try require(topP > 0 && topP <= 1, "top-p is \(topP), expected more than 0 and at most 1")
    try require(minP >= 0 && minP <= 1, "min-p is \(minP), expected 0 to 1")
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.seed = seed
  }

  /// Always the most likely token.
  public static let greedy = SamplingOptions()

  private init() {}
}

/// Chooses tokens, one after the other, with a random state of its own.
///
/// Filters apply in the order of transformers: temperature, top-k, top-p, min-p.
struct Sampler {
  private let options: SamplingOptions
  private var random: SplitMix64

  init(_ options: SamplingOptions) {
    self.options = options
    random = SplitMix64(state: options.seed)
  }

  /// Takes one token.
  ///
  /// - Parameter logits: `[vocabularySize]`
  mutating func next(_ logits: Span<Float>) -> Int {
    options.temperature == 0 ? Self.largest(logits) : sample(logits)
  }

  /// The first index of the largest element.
  static func largest(_ logits: Span<Float>) -> Int {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return best
  }

  private mutating func sample(_ logits: Span<Float>) -> Int {
    let largest = logits[Self.largest(logits)]
    // Weights relative to the most likely token, which has 1.
    var candidates = logits.indices.map { token in
      (token: token, weight: expf((logits[token] - largest) / options.temperature))
    }
    candidates.sort { $0.weight > $1.weight || $0.weight == $1.weight && $0.token < $1.token }
    if let topK = options.topK { candidates.truncate(to: topK) }
    candidates.truncate(toShare: options.topP)
    candidates.removeAll { $0.weight < options.minP }
    return draw(candidates)
  }

  private mutating func draw(_ candidates: [(token: Int, weight: Float)]) -> Int {
    let total = candidates.reduce(into: Float(0)) { $0 += $1.weight }
    var remaining = Float.random(in: 0..<1, using: &random) * total
    for candidate in candidates {
      remaining -= candidate.weight
      if remaining < 0 { return candidate.token }
    }
    return candidates[candidates.count - 1].token
  }
}

extension [(token: Int, weight: Float)] {
  fileprivate mutating func truncate(to count: Int) {
    if count < self.count { removeLast(self.count - count) }
  }

  /// Keeps the smallest number of leading candidates whose weights reach `share` of the total.
  fileprivate mutating func truncate(toShare share: Float) {
    guard share < 1 else { return }
    let target = share * reduce(into: Float(0)) { $0 += $1.weight }
    var sum: Float = 0
    for (index, candidate) in enumerated() {
      sum += candidate.weight
      if sum >= target { return truncate(to: index + 1) }
    }
  }
}

/// A small random generator that, unlike the system's, can be seeded.
///
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
package struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  package init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
