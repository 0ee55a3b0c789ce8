public import Kernels
public import Models
import Tensors

/// Runs tests on a model, with texts of random tokens.
public struct Benchmark: ~Copyable {
  private let model: LanguageModel
  private let work: ModelWork
  private let source: Source?
  let keyValueType: KeyValueType
  private var random: SplitMix64
  /// What fills the positions before a test, `[rows, keyValueWidth]`.
  private let noise: FloatMatrix

  private static let noiseRowCount = 256

  /// - Parameters:
  ///   - work: that of `model`.
  ///   - sourceCount: how many tokens the source has that the model's FLARE adapter reads; nil for
  ///     none.
  ///   - keyValueType: how keys and values are kept.
  public init(
    _ model: LanguageModel, _ work: ModelWork, sourceCount: Int? = nil,
    keyValueType: KeyValueType = .float16
  ) {
    var random = SplitMix64(state: 0x6265_6E63_68)
    self.model = model
    self.work = work
    self.keyValueType = keyValueType
    source = sourceCount.map { .tokens(model.randomTokens($0, using: &random)) }
    noise = FloatMatrix(
      rowCount: Self.noiseRowCount, columnCount: model.configuration.keyValueWidth, using: &random)
    self.random = random
  }

  /// Runs `test` once to warm up and then `repeats` times.
  ///
  /// - Parameter report: called before each run with its number, 0 for the warm-up.
  /// - Throws: `ModelError` when a logit is not a number.
  public mutating func run(
    _ test: BenchmarkTest, repeats: Int, report: (Int) -> Void = { _ in }
  ) throws -> BenchmarkResult {
    var seconds: [Double] = []
    for run in 0...repeats {
      report(run)
      let time = try time(test)
      if run > 0 { seconds.append(time) }
    }
    return BenchmarkResult(
      test: test, seconds: seconds, productCount: work.productCount(of: test),
      byteCount: test.kind == .decode
        ? test.count * work.byteCountPerPass(of: test, keyValueType) : nil)
  }

  var configuration: ModelConfiguration { model.configuration }

  /// Times a test once; making the session and the positions before the test does not count.
  ///
  /// - Parameter finish: called behind a prefill or a decode, before the session is gone.
  mutating func time(
    _ test: BenchmarkTest, finish: () -> Void = {}
  ) throws -> Double {
    if test.textCount > 1 { return try timeBatch(test) }
    let tokens = model.randomTokens(test.count, using: &random)
    if test.kind == .source {
      return try seconds {
        try Session(model, capacity: 1, promptCount: 1, source: .tokens(tokens))
      }
    }
    var session = try session(for: test)
    let time = try seconds {
      switch test.kind {
      case .decode: for token in tokens { _ = try session.append([token]) }
      case .prefill, .source: _ = try session.append(tokens)
      }
    }
    finish()
    return time
  }

  /// Times the passes that several texts share, from the first token of all to their last.
  private mutating func timeBatch(_ test: BenchmarkTest) throws -> Double {
    let options = GenerationOptions(
      maximumTokenCount: test.count + 1, stopsAtEndOfText: false, keyValueType: keyValueType)
    let requests = model.randomTokens(test.textCount, using: &random).map {
      GenerationRequest([$0], options)
    }
    var received = 0
    var start = ContinuousClock.now
    _ = try model.generate(
      batch: requests, BatchOptions(maximumTextCount: test.textCount)
    ) { _, _ in
      received += 1
      if received == test.textCount { start = .now }
      return true
    }
    return (ContinuousClock.now - start) / .seconds(1)
  }

  /// A text that has the depth of `test`, with room for the test.
  ///
  /// The positions before it are random keys and values: a prefill would take as long as the test,
  /// and what they say does not change how fast they are read.
  private func session(for test: BenchmarkTest) throws(ModelError) -> Session {
    let length = test.depth + test.count
    var session = try Session(
      model, capacity: length, promptCount: test.kind == .decode ? max(test.depth, 1) : length,
      source: source, keyValueType: keyValueType)
    session.fill(to: test.depth, noise)
    return session
  }
}

extension LanguageModel {
  fileprivate func randomTokens(_ count: Int, using random: inout SplitMix64) -> [Int] {
    (0..<count).map { _ in Int.random(in: 0..<configuration.vocabularySize, using: &random) }
  }
}

extension FloatMatrix {
  /// Numbers between −1 and 1.
  fileprivate init(rowCount: Int, columnCount: Int, using random: inout SplitMix64) {
    self.init(rowCapacity: rowCount, columnCount: columnCount)
    var elements = mutableElements
    for index in elements.indices { elements[index] = .random(in: -1...1, using: &random) }
  }
}
