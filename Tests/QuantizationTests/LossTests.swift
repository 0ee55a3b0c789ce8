import Kernels
import Quantization
import Tensors
import Testing

@Suite struct `The loss of quantization` {
  /// Root of the mean squared error over the root of the mean square, for normal weights.
  private static let int8Budget = 0.0054
  private static let int4Budget = 0.081
  /// The same of a dot product with normal activations, over the norms of both vectors.
  private static let int8DotBudget = 0.0009
  private static let int4DotBudget = 0.008

  private func relativeError(_ a: [Float], _ b: [Float]) -> Double {
    let error = zip(a, b).reduce(0) {
      $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
    }
    return (error / a.reduce(0) { $0 + Double($1) * Double($1) }).squareRoot()
  }

  /// Q4_0 as its reference makes it: the element of largest magnitude becomes -8.
  private func absmaxInt4(_ elements: [Float]) -> [Float] {
    var result: [Float] = []
    for start in stride(from: 0, to: elements.count, by: 32) {
      let group = elements[start..<start + 32]
      let extreme = group.max { abs($0) < abs($1) } ?? 0
      let scale = Float(Float16(extreme / -8))
      result += group.map { x in
        scale == 0 ? 0 : scale * min(7, max(-8, (x / scale).rounded(.toNearestOrEven)))
      }
    }
    return result
  }

  @Test func `stays within the budget of each format`() throws {
    let weights = normalFloats(64 * 512, seed: 1)
    let kernels = try Kernels(threadCount: 2)
    for (type, budget) in [
      (ElementType.groupedInt8, Self.int8Budget), (.groupedInt4, Self.int4Budget),
    ] {
      let tensor = try quantize(
        floatTensor(weights, rows: 64, columns: 512), as: type, with: kernels)
      let error = relativeError(weights, array(tensor, with: kernels))
      #expect(error < budget, "\(type)")
      #expect(error > budget / 2, "\(type) cannot be this good")
    }
    #expect(relativeError(weights, absmaxInt4(weights)) > Self.int4Budget)
  }

  @Test func `stays within the budget of a dot product`() throws {
    let rows = 64, columns = 2048
    let weights = normalFloats(rows * columns, seed: 2), x = normalFloats(columns, seed: 3)
    let kernels = try Kernels(threadCount: 2)
    for (type, budget) in [
      (ElementType.groupedInt8, Self.int8DotBudget), (.groupedInt4, Self.int4DotBudget),
    ] {
      let tensor = try quantize(
        floatTensor(weights, rows: rows, columns: columns), as: type, with: kernels)
      var input = LayerInput(rowCapacity: 1, columnCount: columns)
      var values = input.values.mutableElements
      for i in x.indices { values[i] = x[i] }
      kernels.prepare(&input, for: [tensor])
      var output = FloatMatrix(rowCapacity: 1, columnCount: rows)
      kernels.multiply(tensor, input, into: &output)
      for r in 0..<rows {
        let exact = (0..<columns).reduce(0) {
          $0 + Double(weights[r * columns + $1]) * Double(x[$1])
        }
        // Both norms are √columns.
        let error = abs(Double(output[0][r]) - exact) / Double(columns)
        #expect(error < budget, "\(type) row \(r)")
      }
    }
  }

  @Test func `the search beats the largest magnitude in every row of normal weights`() throws {
    let columns = 1024
    let weights = normalFloats(48 * columns, seed: 4)
    let kernels = try Kernels(threadCount: 2)
    let searched = array(
      try quantize(
        floatTensor(weights, rows: 48, columns: columns), as: .groupedInt4, with: kernels),
      with: kernels)
    let absmax = absmaxInt4(weights)
    for row in 0..<48 {
      let range = row * columns..<(row + 1) * columns
      #expect(
        relativeError(Array(weights[range]), Array(searched[range]))
          < relativeError(Array(weights[range]), Array(absmax[range])) * 0.98)
    }
  }

  @Test func `one outlier does not cost the others more than the largest magnitude would`() throws {
    var weights = normalFloats(32 * 16, seed: 5)
    for row in 0..<16 { weights[row * 32 + row] = row % 2 == 0 ? 20 : -20 }
    let kernels = try Kernels(threadCount: 2)
    let searched = array(
      try quantize(floatTensor(weights, rows: 16, columns: 32), as: .groupedInt4, with: kernels),
      with: kernels)
    let absmax = absmaxInt4(weights)
    for row in 0..<16 {
      let range = row * 32..<(row + 1) * 32
      // The rounding of the scale to float16 may cost what the search gained.
      #expect(
        relativeError(Array(weights[range]), Array(searched[range]))
          <= relativeError(Array(weights[range]), Array(absmax[range])) * 1.001)
    }
  }
}
