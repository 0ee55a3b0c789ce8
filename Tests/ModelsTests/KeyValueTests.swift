import Adapters
import Kernels
import SystemPackage
import TestSupport
import Testing

@testable import Models

/// Texts far longer than Gemma 2's window of 8, so that the caches of every second layer wrap around.
struct KeyValueTests {
  private static let tokens = (0..<900).map { ($0 * 13 + $0 * $0 % 7) % 90 + 3 }

  /// The logits at the end of every chunk of `chunkSize` tokens, one row each.
  private func logits(
    _ model: LanguageModel, _ type: KeyValueType, chunkSize: Int
  ) throws -> [[Float]] {
    let state = DecodingState(
      model.configuration, capacity: Self.tokens.count, pass: .withoutSource, keyValueType: type,
      chunkSize: chunkSize)
    var work = Workspace(model.transformer, rowCapacity: chunkSize)
    return Self.tokens.chunks(of: chunkSize).map { chunk in
      var context = PassContext(model.kernels, .withoutSource)
      context.append(chunk, to: state)
      model.transformer.advance(context, &work)
      model.transformer.writeLogits(&work, onlyLast: true, context)
      let logits = work.logits[0]
      return logits.indices.map { logits[$0] }
    }
  }

  private func largestDifference(_ a: [[Float]], _ b: [[Float]]) -> Float {
    zip(a.joined(), b.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test(arguments: KeyValueType.allCases)
  func `caches that wrap around give the logits of caches that keep all`(
    type: KeyValueType
  ) throws {
    let model = try GoldenModel("gemma2").model()
    // Chunks of 900 keep everything; of 30, 128 positions of every second layer.
    let whole = try model.logits(of: Self.tokens, keyValueType: type)
    let ends = stride(from: 29, to: 900, by: 30).map { row in
      whole[row].indices.map { whole[row][$0] }
    }
    let found = try logits(model, type, chunkSize: 30)
    #expect(largestDifference(found, ends) < 1e-3)
  }

  @Test func `a window that is off by one changes the logits`() throws {
    let golden = try GoldenModel("gemma2")
    let exact = try logits(golden.model(), .float32, chunkSize: 30)
    try withTemporaryDirectory { directory in
      for name in try golden.path.entryNames where name.hasSuffix(".json") {
        let text = try golden.path.appending(name).readText()
        try directory.appending(name).overwrite(
          text.replacing("\"sliding_window\": 8", with: "\"sliding_window\": 7"))
      }
      try directory.appending("model.safetensors").makeSymbolicLink(
        to: golden.path.appending("model.safetensors"))
      let model = try LanguageModel(directory, with: golden.kernels())
      #expect(model.configuration.slidingWindows == [7, nil, 7, nil])
      #expect(try largestDifference(logits(model, .float32, chunkSize: 30), exact) > 0.1)
    }
  }

  // Logits are bounded by 6. A rounding of 2^-11 or of 1/254 in keys and values goes through four
  // layers.
  @Test(arguments: [
    (KeyValueType.float16, Float(1e-5), Float(2e-2)), (.int8, 1e-3, 0.6),
  ])
  func `rounded keys and values move the logits a little`(
    type: KeyValueType, least: Float, most: Float
  ) throws {
    let model = try GoldenModel("gemma2").model()
    let exact = try logits(model, .float32, chunkSize: 30)
    let difference = try largestDifference(logits(model, type, chunkSize: 30), exact)
    #expect((least...most).contains(difference))
  }

  @Test(arguments: ["llama", "gemma2"], KeyValueType.allCases)
  func `a session reserves the memory that the configuration predicts`(
    name: String, type: KeyValueType
  ) throws {
    let configuration = try GoldenModel(name).model().configuration
    for (capacity, chunkSize) in [(30, 256), (5000, 256), (5000, 1)] {
      let state = DecodingState(
        configuration, capacity: capacity, pass: .withoutSource, keyValueType: type,
        chunkSize: chunkSize)
      let reserved = state.caches.reduce(0) { $0 + $1.byteCount }
      #expect(
        reserved
          == configuration.keyValueByteCount(
            capacity: capacity, type: type, chunkSize: chunkSize))
    }
  }

  @Test func `windows and types make the memory smaller`() throws {
    let configuration = try GoldenModel("gemma2").model().configuration
    // 2 heads of 24 columns, values in 32; two layers keep all, two 7 + 256 positions in 6 tiles.
    let tiles = 2 * (32768 / 64) + 2 * 6
    #expect(configuration.keyValueByteCount(capacity: 32768) == tiles * 2 * 64 * (24 + 32) * 2)
    #expect(
      configuration.keyValueByteCount(capacity: 32768, type: .int8)
        == tiles * 2 * 64 * (24 + 32 + 2 * 2))
  }
}
