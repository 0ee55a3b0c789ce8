import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct `Key-value cache` {
  /// A text, cut into the chunks that it comes in.
  struct Case: CustomTestStringConvertible {
    var window: Int, chunkSize: Int
    var positions = 700
    var testDescription: String { "window \(window), chunks of \(chunkSize)" }
  }

  static let cases = [
    Case(window: 1, chunkSize: 1, positions: 300),
    Case(window: 100, chunkSize: 1, positions: 450),
    Case(window: 100, chunkSize: 48), Case(window: 64, chunkSize: 64),
    Case(window: 65, chunkSize: 64), Case(window: 20, chunkSize: 150),
    Case(window: 300, chunkSize: 7),
  ]

  private func attention(_ test: Case) -> AttentionCase {
    AttentionCase(
      rows: test.positions, firstPosition: 0, heads: 2, keyValueHeads: 1, headDimension: 20,
      window: test.window)
  }

  /// Sends a text through a cache chunk by chunk, with rows on trial behind each of them.
  private func run(
    _ test: Case, _ type: KeyValueType, _ inputs: AttentionCase.Inputs,
    trial: AttentionCase.Inputs? = nil, with kernels: Kernels
  ) -> [Float] {
    let attention = attention(test)
    let cache = attention.cache(type, chunkSize: test.chunkSize)
    var found: [Float] = []
    for start in stride(from: 0, to: test.positions, by: test.chunkSize) {
      let chunk = start..<min(start + test.chunkSize, test.positions)
      if let trial {
        attention.append(chunk, of: trial, to: cache, with: kernels)
        _ = attention.attend(chunk, of: trial, cache, with: kernels)
        cache.truncate(to: start)
      }
      attention.append(chunk, of: inputs, to: cache, with: kernels)
      found += attention.attend(chunk, of: inputs, cache, with: kernels)
    }
    return found
  }

  @Test(arguments: cases, KeyValueType.allCases)
  func `a window that wraps around many times sees what a whole text shows it`(
    test: Case, type: KeyValueType
  ) throws {
    let inputs = attention(test).inputs()
    let last = test.positions - 20..<test.positions
    let expected = attention(test).reference(type.rounded(inputs, headDimension: 20), rows: last)
    for kernels in try allKernels() {
      let whole = attention(test).attend(inputs, type, with: kernels)
      let found = run(test, type, inputs, with: kernels)
      #expect(largestDifference(Array(found.suffix(expected.count)), expected) < 3e-6)
      #expect(bitDifferences(found, whole) == [])
    }
  }

  @Test(arguments: cases, KeyValueType.allCases)
  func `rows that were forgotten leave no trace`(test: Case, type: KeyValueType) throws {
    let inputs = attention(test).inputs()
    var trial = attention(test).inputs(seed: 32)
    for i in trial.values.indices { trial.values[i] = .nan }
    for kernels in try allKernels() {
      let expected = run(test, type, inputs, with: kernels)
      let found = run(test, type, inputs, trial: trial, with: kernels)
      #expect(bitDifferences(found, expected) == [])
    }
  }

  @Test func `a window keeps its window, a chunk and what fills their tiles`() {
    let cache = KeyValueCache(
      capacity: 32768, headCount: 4, headDimension: 256, window: 4096, chunkSize: 256)
    // 4096 − 1 + 256 positions are 68 tiles of 64, and one more.
    #expect(cache.byteCount == 69 * 64 * 4 * 2 * 256 * 2)
    let whole = KeyValueCache(
      capacity: 32768, headCount: 4, headDimension: 256, window: nil, chunkSize: 256)
    #expect(whole.byteCount == 32768 * 4 * 2 * 256 * 2)
  }

  @Test(arguments: KeyValueType.allCases, [(1, 10), (64, 64), (65, 80), (1000, 96)])
  func `the memory is what the formula says`(
    type: KeyValueType, shape: (capacity: Int, headDimension: Int)
  ) {
    for window in [nil, 1, 63, 64, 500, 5000] {
      for chunkSize in [nil, 1, 64, 200] {
        let cache = KeyValueCache(
          capacity: shape.capacity, headCount: 3, headDimension: shape.headDimension,
          window: window, type: type, chunkSize: chunkSize)
        let predicted = KeyValueCache.byteCount(
          capacity: shape.capacity, headCount: 3, headDimension: shape.headDimension,
          window: window, type: type, chunkSize: chunkSize)
        #expect(cache.byteCount == predicted)

        var tiles = (shape.capacity + 63) / 64
        if let window {
          let chunk = chunkSize ?? shape.capacity
          tiles = min(tiles, (window - 1 + chunk + 63) / 64 + 1)
        }
        let padded = (shape.headDimension + 15) / 16 * 16
        let bytes =
          switch type {
          case .float32: 4 * 64 * (shape.headDimension + padded)
          case .float16: 2 * 64 * (shape.headDimension + padded)
          case .int8:
            64 * (shape.headDimension + padded) + 128 * 2 * ((shape.headDimension + 31) / 32)
          }
        #expect(predicted == tiles * 3 * bytes)
      }
    }
  }

  #if os(Linux)
    @Test func `memory that no position has been written to is not taken`() throws {
      func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(
          separator: " ")
        return try #require(Int(fields[1])) * 4096
      }
      let kernels = try Kernels(threadCount: 1)
      let before = try residentBytes()
      let cache = KeyValueCache(
        capacity: 1 << 19, headCount: 8, headDimension: 128, window: nil)
      #expect(cache.byteCount == 2 << 30)
      let row = FloatMatrix(rowCapacity: 1, columnCount: 1024)
      kernels.append(keys: row, values: row, rows: 0..<1, to: cache)
      #expect(try residentBytes() - before < 512 << 20)
      #expect(cache.positionCount == 1)
    }
  #endif

  @Test func `a text that would need what is no longer kept is a programmer's error`() async {
    await #expect(processExitsWith: .success) { truncateWindow(to: 999 - 8) }
    await #expect(processExitsWith: .success) { truncateWindow(to: 0) }
    await #expect(processExitsWith: .failure) { truncateWindow(to: 500) }
    await #expect(processExitsWith: .failure) { truncateWindow(to: 1001) }
  }

  @Test func `more rows at once than a cache was made for are a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      let cache = KeyValueCache(
        capacity: 100, headCount: 1, headDimension: 8, window: 4, chunkSize: 8)
      let rows = FloatMatrix(rowCapacity: 9, columnCount: 8)
      try Kernels(threadCount: 1).append(keys: rows, values: rows, rows: 0..<9, to: cache)
    }
  }
}

/// Fills a cache of 100 positions, chunk by chunk of 8, to position 999; then forgets some.
private func truncateWindow(to count: Int) {
  guard let kernels = try? Kernels(threadCount: 1) else { return }
  let cache = KeyValueCache(
    capacity: 1000, headCount: 1, headDimension: 8, window: 100, chunkSize: 8)
  let rows = FloatMatrix(rowCapacity: 8, columnCount: 8)
  while cache.positionCount + 8 < 1000 {
    kernels.append(keys: rows, values: rows, rows: 0..<8, to: cache)
  }
  kernels.append(keys: rows, values: rows, rows: 0..<999 - cache.positionCount, to: cache)
  cache.truncate(to: count)
}
