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
    var queries: [Float]  // [rows, heads · headDimension]
    var keys: [Float]  // [positions, keyValueHeads · headDimension]
    var values: [Float]  // as keys
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
  ///
  /// - Parameter rows: which; nil for all.
  func reference(_ inputs: Inputs, rows: Range<Int>? = nil) -> [Double] {
    let dimension = headDimension, sharing = heads / keyValueHeads
    var output: [Double] = []
    for i in rows ?? 0..<self.rows {
      let position = firstPosition + i
      let seen = max(0, position + 1 - (window ?? position + 1))...position
      for head in 0..<heads {
        let query = (i * heads + head) * dimension
        func place(_ j: Int) -> Int { (j * keyValueHeads + head / sharing) * dimension }
        var scores: [Double] = []
        for j in seen {
          let key = place(j)
          var dot = 0.0
          for d in 0..<dimension {
            dot += Double(inputs.queries[query + d]) * Double(inputs.keys[key + d])
          }
          dot *= Double(scale)
          if let softCap { dot = Double(softCap) * tanh(dot / Double(softCap)) }
          scores.append(dot)
        }
        let largest = scores.max() ?? 0
        var total = 0.0, sums = Array(repeating: 0.0, count: dimension)
        for (j, score) in zip(seen, scores) {
          let weight = exp(score - largest), value = place(j)
          total += weight
          for d in 0..<dimension { sums[d] += weight * Double(inputs.values[value + d]) }
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
