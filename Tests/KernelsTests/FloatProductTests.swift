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

  @Test func `merging adds the product of the factors`() throws {
    var generator = SeededGenerator(seed: 13)
    let rows = 21, columns = 18, rank = 3
    let w = generator.floats(rows * columns)
    let b = generator.floats(rows * rank), a = generator.floats(rank * columns)
    var expected = w.map(Double.init)
    for r in 0..<rows {
      for c in 0..<columns {
        for k in 0..<rank {
          expected[r * columns + c] += 2 * Double(b[r * rank + k]) * Double(a[k * columns + c])
        }
      }
    }
    for kernels in try allKernels() {
      var merged = matrix(w, rows: rows, columns: columns)
      kernels.addProduct(
        tensor(b, [rows, rank]), tensor(a, [rank, columns]), scale: 2, to: &merged)
      #expect(largestDifference(array(merged), expected) < 2e-6)
    }
  }

  @Test func `merging a zero factor changes no bit`() throws {
    var generator = SeededGenerator(seed: 14)
    let w = generator.floats(32)
    let kernels = try Kernels(threadCount: 2)
    var merged = matrix(w, rows: 4, columns: 8)
    let zero = tensor(Array(repeating: 0, count: 8), [4, 2])
    kernels.addProduct(zero, tensor(generator.floats(16), [2, 8]), scale: 3, to: &merged)
    #expect(bitDifferences(array(merged), w) == [])
  }
}
