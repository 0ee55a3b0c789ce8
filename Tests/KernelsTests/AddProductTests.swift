import Tensors
import TestSupport
import Testing

@testable import Kernels

@Suite struct `Products of low-rank factors` {
  struct Sum: CustomTestStringConvertible {
    let testDescription: String
    let b: [Float]
    let a: [Float]
    var scale: Float = 1
    var w: Float = 0
    let expected: Float
  }

  /// Small enough for paper; all but the first come out differently in another order or with another
  /// number of roundings.
  static let sums = [
    Sum(
      testDescription: "0.5 · (1·4 + 2·5 + 3·6) + 10", b: [1, 2, 3], a: [4, 5, 6], scale: 0.5,
      w: 10, expected: 26),
    Sum(
      testDescription: "1 is lost in 2²⁴ before 2²⁴ is taken off", b: [1, 1, 1],
      a: [0x1p24, 1, -0x1p24], w: 5, expected: 5),
    Sum(
      testDescription: "a term is not rounded before it is added: (1 + 2⁻¹²)² − 1",
      b: [-1, 0x1.001p0], a: [1, 0x1.001p0], expected: 0x1.0008p-11),
    Sum(
      testDescription: "a product is rounded before w is added", b: [1], a: [3], scale: 0.1,
      w: -0.3, expected: 0),
    Sum(
      testDescription: "a sum begins with 0, so that −0 becomes 0", b: [-0.0], a: [1], w: -0.0,
      expected: 0),
  ]

  @Test(arguments: sums)
  func `a product has the bits that pencil and paper give`(sum: Sum) throws {
    // Whole tiles and what is left of rows and of columns.
    let rows = 19, columns = 77, rank = sum.b.count
    let b = tensor((0..<rows).flatMap { _ in sum.b }, [rows, rank])
    let a = tensor(
      sum.a.flatMap { Array(repeating: $0, count: columns) }, [rank, columns])
    let w = Array(repeating: sum.w, count: rows * columns)
    let expected = Array(repeating: sum.expected, count: rows * columns)
    for kernels in try allKernels() {
      var merged = matrix(w, rows: rows, columns: columns)
      kernels.addProduct(b, a, scale: sum.scale, to: &merged)
      #expect(bitDifferences(array(merged), expected) == [], "\(kernels.instructionSet)")
    }
  }

  /// A weight and the factors of its update.
  private struct Case {
    let rows: Int, columns: Int, rank: Int
    let w: [Float], b: [Float], a: [Float]
    let scale: Float = 0.3

    init(rows: Int, columns: Int, rank: Int) {
      var generator = SeededGenerator(seed: 13)
      (self.rows, self.columns, self.rank) = (rows, columns, rank)
      w = generator.floats(rows * columns)
      b = generator.floats(rows * rank)
      a = generator.floats(rank * columns)
    }

    /// The merged rows of a range, as if they were all.
    func merged(_ range: Range<Int>, _ kernels: Kernels) -> [Float] {
      let elements = range.lowerBound * columns..<range.upperBound * columns
      var merged = matrix(Array(w[elements]), rows: range.count, columns: columns)
      let factors = Array(b[range.lowerBound * rank..<range.upperBound * rank])
      kernels.addProduct(
        tensor(factors, [range.count, rank]), tensor(a, [rank, columns]), scale: scale, to: &merged)
      return array(merged)
    }

    /// The definition, with Swift's own fused multiply-add.
    var expected: [Float] {
      (0..<rows * columns).map { element in
        let (row, column) = element.quotientAndRemainder(dividingBy: columns)
        var sum: Float = 0
        for k in 0..<rank { sum.addProduct(b[row * rank + k], a[k * columns + column]) }
        let scaled = scale * sum
        return w[element] + scaled
      }
    }
  }

  @Test(arguments: [1, 3, 16, 17], [1, 18, 64, 77])
  func `every form gives the bits of the definition`(rank: Int, columns: Int) throws {
    let test = Case(rows: 21, columns: columns, rank: rank)
    let expected = test.expected
    #expect(bitDifferences(expected, test.w) != [])
    for kernels in try allKernels() {
      let differences = bitDifferences(test.merged(0..<21, kernels), expected)
      #expect(differences == [], "\(kernels.instructionSet)")
    }
  }

  @Test func `a row has the same bits in any block of rows and on any number of threads`() throws {
    // Enough columns that they are cut to fit the cache.
    let test = Case(rows: 37, columns: 2100, rank: 19)
    let whole = test.merged(0..<37, try Kernels(threadCount: 1, instructionSet: .generic))
    for set in InstructionSet.allCases where set.isAvailable {
      for threadCount in 1...3 {
        let kernels = try Kernels(threadCount: threadCount, instructionSet: set)
        for rows in [0..<37, 0..<1, 3..<8, 5..<14, 20..<37] {
          let part = Array(whole[rows.lowerBound * 2100..<rows.upperBound * 2100])
          #expect(bitDifferences(test.merged(rows, kernels), part) == [], "\(set), rows \(rows)")
        }
      }
    }
  }

  @Test func `merging a zero factor changes no bit`() throws {
    var generator = SeededGenerator(seed: 14)
    let w = generator.floats(32)
    for kernels in try allKernels() {
      var merged = matrix(w, rows: 4, columns: 8)
      let zero = tensor(Array(repeating: 0, count: 8), [4, 2])
      kernels.addProduct(zero, tensor(generator.floats(16), [2, 8]), scale: 3, to: &merged)
      #expect(bitDifferences(array(merged), w) == [])
    }
  }

  @Test func `factors of float16 and bfloat16 are multiplied as the floats they are`() throws {
    for kernels in try allKernels() {
      var merged = matrix([1, 1, 1], rows: 1, columns: 3)
      kernels.addProduct(
        tensor([2, 3], [1, 2], as: .bfloat16), tensor([1, 2, 3, 4, 5, 6], [2, 3], as: .float16),
        scale: 1, to: &merged)
      #expect(array(merged) == [15, 20, 25])
    }
  }
}
