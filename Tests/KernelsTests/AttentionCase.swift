import Foundation
import Kernels
import TestSupport
import Testing

/// One call of attention, and what it is by its definition.
struct AttentionCase: CustomTestStringConvertible {
  var rows: Int, firstPosition: Int, heads: Int, keyValueHeads: Int, headDimension: Int
  var window: Int?
  var softCap: Float?
  var scale: Float = 0.25

  var testDescription: String {
    "\(rows) rows from \(firstPosition), \(heads) over \(keyValueHeads) heads of "
      + "\(headDimension), window \(window ?? 0), cap \(softCap ?? 0)"
  }

  var positionCount: Int { firstPosition + rows }
  var columns: Int { heads * headDimension }
  var keyColumns: Int { keyValueHeads * headDimension }

  struct Inputs: Sendable {
    /// [rows, heads · headDimension]
    var queries: [Float]
    /// [positions, keyValueHeads · headDimension]
    var keys: [Float]
    var values: [Float]
  }

  /// Random numbers of the size that keys have in models.
  func inputs(seed: UInt64 = 31) -> Inputs {
    var generator = SeededGenerator(seed: seed)
    let count = positionCount * keyColumns
    return Inputs(
      queries: generator.floats(rows * columns, in: -3...3),
      keys: generator.floats(count, in: -3...3), values: generator.floats(count))
  }

  /// Attention by its definition, a whole row of scores at a time, in double precision.
  func reference(_ inputs: Inputs) -> [Double] {
    let dimension = headDimension, sharing = heads / keyValueHeads
    var output: [Double] = []
    for i in 0..<rows {
      let position = firstPosition + i
      for head in 0..<heads {
        let query = inputs.queries.dropFirst((i * heads + head) * dimension).prefix(dimension)
        let seen = max(0, position + 1 - (window ?? position + 1))...position
        func row(_ all: [Float], _ j: Int) -> ArraySlice<Float> {
          let start = (j * keyValueHeads + head / sharing) * dimension
          return all[start..<start + dimension]
        }
        let scores = seen.map { j in
          let dot = zip(query, row(inputs.keys, j)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
          guard let cap = softCap.map(Double.init) else { return dot * Double(scale) }
          return cap * tanh(dot * Double(scale) / cap)
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        var sums = Array(repeating: 0.0, count: dimension)
        for (j, weight) in zip(seen, weights) {
          for (d, value) in row(inputs.values, j).enumerated() { sums[d] += weight * Double(value) }
        }
        output += sums.map { $0 / total }
      }
    }
    return output
  }

  func cache(_ type: KeyValueType, chunkSize: Int? = nil) -> KeyValueCache {
    KeyValueCache(
      capacity: positionCount, headCount: keyValueHeads, headDimension: headDimension,
      window: window, type: type, chunkSize: chunkSize)
  }

  /// Adds keys and values of some positions of `inputs`.
  func append(
    _ positions: Range<Int>, of inputs: Inputs, to cache: KeyValueCache, with kernels: Kernels
  ) {
    let place = positions.lowerBound * keyColumns..<positions.upperBound * keyColumns
    kernels.append(
      keys: matrix(Array(inputs.keys[place]), rows: positions.count, columns: keyColumns),
      values: matrix(Array(inputs.values[place]), rows: positions.count, columns: keyColumns),
      rows: 0..<positions.count, to: cache)
  }

  /// What the kernels make of some rows of `inputs`, the last of them the last position of `cache`.
  func attend(
    _ rows: Range<Int>, of inputs: Inputs, _ cache: KeyValueCache, with kernels: Kernels
  ) -> [Float] {
    let queries = Array(inputs.queries[rows.lowerBound * columns..<rows.upperBound * columns])
    var output = FloatMatrix(rowCapacity: rows.count, columnCount: columns)
    kernels.attend(
      queries: matrix(queries, rows: rows.count, columns: columns),
      texts: [Kernels.TextRows(rows: 0..<rows.count, cache: cache)], scale: scale,
      softCap: softCap, into: &output)
    return array(output)
  }

  /// All at once: every position, then every row.
  func attend(
    _ inputs: Inputs, _ type: KeyValueType = .float32, with kernels: Kernels
  ) -> [Float] {
    let cache = cache(type)
    append(0..<positionCount, of: inputs, to: cache, with: kernels)
    return attend(0..<rows, of: inputs, cache, with: kernels)
  }
}

extension KeyValueType {
  /// What a cache of this type keeps of rows of heads, by the definition of the type.
  func rounded(_ x: [Float], headDimension: Int) -> [Float] {
    switch self {
    case .float32: x
    case .float16: x.map { Float(Float16($0)) }
    case .int8:
      stride(from: 0, to: x.count, by: headDimension).flatMap { head in
        stride(from: head, to: head + headDimension, by: 32).flatMap { start in
          let group = x[start..<min(start + 32, head + headDimension)]
          let scale = Float(Float16((group.map(abs).max() ?? 0) / 127))
          let inverse = scale > 0 ? 1 / scale : 0
          return group.map { min(127, max(-127, ($0 * inverse).rounded(.toNearestOrEven))) * scale }
        }
      }
    }
  }

  func rounded(_ inputs: AttentionCase.Inputs, headDimension: Int) -> AttentionCase.Inputs {
    AttentionCase.Inputs(
      queries: inputs.queries, keys: rounded(inputs.keys, headDimension: headDimension),
      values: rounded(inputs.values, headDimension: headDimension))
  }
}
