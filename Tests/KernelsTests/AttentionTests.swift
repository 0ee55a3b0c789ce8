import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct `Attention` {
  struct Case: CustomTestStringConvertible {
    var rows: Int, firstPosition: Int, heads: Int, keyValueHeads: Int, headDimension: Int
    var window: Int?
    var softCap: Float?

    var testDescription: String {
      "\(rows) rows from \(firstPosition), \(heads) over \(keyValueHeads) heads of "
        + "\(headDimension), window \(window ?? 0), cap \(softCap ?? 0)"
    }
  }

  static let cases = [
    Case(rows: 1, firstPosition: 0, heads: 1, keyValueHeads: 1, headDimension: 8),
    Case(rows: 1, firstPosition: 130, heads: 4, keyValueHeads: 1, headDimension: 16),
    Case(rows: 7, firstPosition: 3, heads: 6, keyValueHeads: 2, headDimension: 10),
    Case(rows: 150, firstPosition: 0, heads: 4, keyValueHeads: 2, headDimension: 32),
    Case(rows: 70, firstPosition: 65, heads: 3, keyValueHeads: 3, headDimension: 48, window: 17),
    Case(rows: 1, firstPosition: 200, heads: 2, keyValueHeads: 1, headDimension: 64, window: 1),
    Case(rows: 40, firstPosition: 90, heads: 2, keyValueHeads: 1, headDimension: 256, softCap: 5),
    Case(
      rows: 33, firstPosition: 31, heads: 8, keyValueHeads: 4, headDimension: 20, window: 64,
      softCap: 2),
    Case(rows: 2, firstPosition: 10, heads: 70, keyValueHeads: 1, headDimension: 4),
  ]

  /// Attention by its definition, a whole row of scores at a time, in double precision.
  private func reference(
    _ test: Case, _ queries: [Float], _ keys: [Float], _ values: [Float], scale: Double
  ) -> [Double] {
    let dimension = test.headDimension, sharing = test.heads / test.keyValueHeads
    var output: [Double] = []
    for i in 0..<test.rows {
      let position = test.firstPosition + i
      for head in 0..<test.heads {
        let query = queries.dropFirst((i * test.heads + head) * dimension).prefix(dimension)
        let seen = (0...position).filter { j in position - j < test.window ?? .max }
        func row(_ all: [Float], _ j: Int) -> ArraySlice<Float> {
          let start = (j * test.keyValueHeads + head / sharing) * dimension
          return all[start..<start + dimension]
        }
        let scores = seen.map { j in
          let dot = zip(query, row(keys, j)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
          guard let cap = test.softCap.map(Double.init) else { return dot * scale }
          return cap * tanh(dot * scale / cap)
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        for d in 0..<dimension {
          output.append(
            zip(seen, weights).reduce(0) { sum, pair in
              let values = row(values, pair.0)
              return sum + pair.1 / total * Double(values[values.startIndex + d])
            })
        }
      }
    }
    return output
  }

  private func attend(
    _ test: Case, _ queries: [Float], _ keys: [Float], _ values: [Float], scale: Float,
    with kernels: Kernels
  ) -> [Float] {
    let positions = test.firstPosition + test.rows
    let columns = test.heads * test.headDimension
    let keyColumns = test.keyValueHeads * test.headDimension
    let cache = KeyValueCache(
      capacity: positions, headCount: test.keyValueHeads, headDimension: test.headDimension,
      window: test.window)
    kernels.append(
      keys: matrix(keys, rows: positions, columns: keyColumns),
      values: matrix(values, rows: positions, columns: keyColumns), rows: 0..<positions, to: cache)
    var output = FloatMatrix(rowCapacity: test.rows, columnCount: columns)
    kernels.attend(
      queries: matrix(queries, rows: test.rows, columns: columns),
      texts: [Kernels.TextRows(rows: 0..<test.rows, cache: cache)], scale: scale,
      softCap: test.softCap, into: &output)
    return array(output)
  }

  private func inputs(_ test: Case) -> (queries: [Float], keys: [Float], values: [Float]) {
    var generator = SeededGenerator(seed: 31)
    let count = (test.firstPosition + test.rows) * test.keyValueHeads * test.headDimension
    return (
      generator.floats(test.rows * test.heads * test.headDimension, in: -3...3),
      generator.floats(count, in: -3...3), generator.floats(count)
    )
  }

  @Test(arguments: cases)
  func `blocks and a running softmax give what whole rows give`(test: Case) throws {
    let (queries, keys, values) = inputs(test)
    let expected = reference(test, queries, keys, values, scale: 0.25)
    for kernels in try allKernels() {
      let found = attend(test, queries, keys, values, scale: 0.25, with: kernels)
      #expect(largestDifference(found, expected) < 3e-6, "\(kernels.instructionSet)")
    }
  }

  @Test func `keys outside the window are never read`() throws {
    let test = Case(
      rows: 5, firstPosition: 100, heads: 2, keyValueHeads: 1, headDimension: 16, window: 10)
    let (queries, keys, values) = inputs(test)
    var poisonedKeys = keys, poisonedValues = values
    // The first query, at 100, sees 91 and later.
    for i in 0..<91 * 16 {
      poisonedKeys[i] = .nan
      poisonedValues[i] = .nan
    }
    for kernels in try allKernels() {
      let clean = attend(test, queries, keys, values, scale: 1, with: kernels)
      let poisoned = attend(test, queries, poisonedKeys, poisonedValues, scale: 1, with: kernels)
      #expect(bitDifferences(clean, poisoned) == [])
      poisonedKeys[91 * 16] = .nan
      let seen = attend(test, queries, poisonedKeys, poisonedValues, scale: 1, with: kernels)
      #expect(seen[0..<32].allSatisfy { $0.isNaN })
      poisonedKeys[91 * 16] = keys[91 * 16]
    }
  }

  @Test func `a later key changes no earlier query`() throws {
    let test = Case(rows: 80, firstPosition: 0, heads: 1, keyValueHeads: 1, headDimension: 8)
    let (queries, keys, values) = inputs(test)
    var changed = keys
    for d in 0..<8 { changed[70 * 8 + d] += 1 }
    for kernels in try allKernels() {
      let before = attend(test, queries, keys, values, scale: 0.1, with: kernels)
      let after = attend(test, queries, changed, values, scale: 0.1, with: kernels)
      #expect(bitDifferences(before, after).allSatisfy { $0 >= 70 * 8 })
      #expect(bitDifferences(before, after).contains { $0 < 71 * 8 })
    }
  }

  @Test func `scores far apart do not overflow`() throws {
    let test = Case(rows: 1, firstPosition: 99, heads: 1, keyValueHeads: 1, headDimension: 4)
    var keys = Array(repeating: Float(0), count: 400)
    keys[4 * 63] = 1000  // the last key of the first block
    keys[4 * 80] = -1000
    var values = Array(repeating: Float(-7), count: 400)
    for d in 0..<4 { values[4 * 63 + d] = Float(d) }
    for kernels in try allKernels() {
      let found = attend(test, [10, 0, 0, 0], keys, values, scale: 1, with: kernels)
      #expect(found == [0, 1, 2, 3])
    }
  }
}
