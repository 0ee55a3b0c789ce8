import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct `Float products` {
  /// w · x in double precision, with the sum of the magnitudes of each row's products.
  private func reference(
    _ w: [Float], _ x: [Float], rows: Int, columns: Int
  ) -> (products: [Double], magnitudes: [Double]) {
    var products: [Double] = [], magnitudes: [Double] = []
    for i in 0..<x.count / columns {
      for r in 0..<rows {
        let terms = (0..<columns).map { Double(w[r * columns + $0]) * Double(x[i * columns + $0]) }
        products.append(terms.reduce(0, +))
        magnitudes.append(terms.reduce(0) { $0 + abs($1) })
      }
    }
    return (products, magnitudes)
  }

  @Test(arguments: [ElementType.float32, .float16, .bfloat16], [1, 5, 47, 48])
  func `a product agrees with double precision`(type: ElementType, positions: Int) throws {
    var generator = SeededGenerator(seed: 11)
    for (rows, columns) in [(1, 1), (7, 33), (130, 100)] {
      let w = tensor(generator.floats(rows * columns), [rows, columns], as: type)
      let x = generator.floats(positions * columns)
      for kernels in try allKernels() {
        let expected = reference(
          array(kernels.floats(of: w)), x, rows: rows, columns: columns)
        let input = layerInput(x, rows: positions, columns: columns, for: w, with: kernels)
        var output = FloatMatrix(rowCapacity: positions, columnCount: rows)
        kernels.multiply(w, input, into: &output)
        let found = array(output)
        for i in found.indices {
          // However the sum is ordered, at most one rounding a term.
          let bound = Double(columns + 1) * 0x1p-24 * expected.magnitudes[i]
          #expect(abs(Double(found[i]) - expected.products[i]) <= bound)
        }
      }
    }
  }

  @Test(arguments: [1, 60])
  func `a low-rank update is added with its scale`(positions: Int) throws {
    var generator = SeededGenerator(seed: 12)
    let rank = 4, rows = 37
    let b = tensor(generator.floats(rows * rank), [rows, rank], as: .bfloat16)
    let x = generator.floats(positions * rank), start = generator.floats(positions * rows)
    for kernels in try allKernels() {
      let products = reference(
        array(kernels.floats(of: b)), x, rows: rows, columns: rank
      ).products
      var output = matrix(start, rows: positions, columns: rows)
      kernels.multiplyAdding(
        b, matrix(x, rows: positions, columns: rank), scale: -0.5, to: &output)
      let expected = zip(start, products).map { Double($0) - 0.5 * $1 }
      #expect(largestDifference(array(output), expected) < 1e-6)
      #expect(array(output) != start)
    }
  }
}
