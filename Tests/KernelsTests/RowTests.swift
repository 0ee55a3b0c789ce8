import Foundation
import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct `Rows of floats` {
  @Test(arguments: [ElementType.float32, .float16, .bfloat16], [false, true])
  func `a norm agrees with double precision`(type: ElementType, unitOffset: Bool) throws {
    var generator = SeededGenerator(seed: 21)
    let rows = 3, columns = 300
    let x = generator.floats(rows * columns, in: -5...5)
    let weight = tensor(generator.floats(columns), [columns], as: type)
    for kernels in try allKernels() {
      let w = array(kernels.floats(of: weight)).map { Double($0) + (unitOffset ? 1 : 0) }
      var expected: [Double] = []
      for i in 0..<rows {
        let row = x[i * columns..<(i + 1) * columns].map(Double.init)
        let meanSquare = row.reduce(0) { $0 + $1 * $1 } / Double(columns)
        expected += zip(row, w).map { $0 / (meanSquare + 1e-5).squareRoot() * $1 }
      }
      var output = FloatMatrix(rowCapacity: rows, columnCount: columns)
      kernels.normalize(
        matrix(x, rows: rows, columns: columns), weight: weight, epsilon: 1e-5,
        unitOffset: unitOffset, into: &output)
      #expect(largestDifference(array(output), expected) < 2e-6)
    }
  }

  @Test(arguments: [1, 2, 5])
  func `a norm of heads is the norm of each by itself`(headCount: Int) throws {
    var generator = SeededGenerator(seed: 22)
    let rows = 3, headDimension = 12
    let x = generator.floats(rows * headCount * headDimension, in: -5...5)
    let weight = tensor(generator.floats(headDimension), [headDimension])
    for kernels in try allKernels() {
      var heads = FloatMatrix(rowCapacity: rows * headCount, columnCount: headDimension)
      kernels.normalize(
        matrix(x, rows: rows * headCount, columns: headDimension), weight: weight, epsilon: 1e-5,
        unitOffset: true, into: &heads)
      var together = matrix(x, rows: rows, columns: headCount * headDimension)
      kernels.normalizeHeads(of: &together, weight: weight, epsilon: 1e-5, unitOffset: true)
      #expect(array(together) == array(heads))
    }
  }

  @Test func `epsilon keeps the norm of zeros at zero`() throws {
    for kernels in try allKernels() {
      var output = FloatMatrix(rowCapacity: 1, columnCount: 8)
      kernels.normalize(
        FloatMatrix(rowCapacity: 1, columnCount: 8),
        weight: tensor(Array(repeating: 1, count: 8), [8]), epsilon: 1e-6, unitOffset: false,
        into: &output)
      #expect(array(output) == Array(repeating: 0, count: 8))
    }
  }

  /// Activations in double precision, by definition.
  private func activated(_ x: Double, _ activation: Activation) -> Double {
    switch activation {
    case .silu: x / (1 + exp(-x))
    case .gelu: 0.5 * x * erfc(-x / 2.0.squareRoot())
    case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    }
  }

  @Test(arguments: [Activation.silu, .gelu, .geluTanh])
  func `a gate agrees with double precision over its whole range`(activation: Activation) throws {
    let x = stride(from: Float(-100), through: 100, by: 0.037).map { $0 }
    let up = Array(repeating: Float(1), count: x.count)
    for kernels in try allKernels() {
      var gate = matrix(x, rows: 1, columns: x.count)
      kernels.gate(
        &gate, with: matrix(up, rows: 1, columns: x.count), activation: activation)
      for (found, x) in zip(array(gate), x) {
        let expected = activated(Double(x), activation)
        #expect(
          abs(Double(found) - expected) <= 4e-7 * max(1, abs(expected)), "\(activation) of \(x)")
      }
    }
  }

  @Test func `a gate multiplies by its other half and lets NaN through`() throws {
    for kernels in try allKernels() {
      var gate = matrix([2, .nan, -3], rows: 1, columns: 3)
      kernels.gate(&gate, with: matrix([3, 1, 0], rows: 1, columns: 3), activation: .silu)
      #expect(abs(gate[0][0] - 6 / (1 + expf(-2))) < 1e-6)
      #expect(gate[0][1].isNaN)
      #expect(gate[0][2] == 0)
    }
  }

  @Test func `a soft cap is accurate for small and bounded for large values`() throws {
    let cap: Float = 30
    var generator = SeededGenerator(seed: 22)
    let x =
      generator.floats(500, in: -200...200) + generator.floats(500, in: -1e-3...1e-3) + [
        0, .infinity, -.infinity,
      ]
    for kernels in try allKernels() {
      var capped = matrix(x, rows: 1, columns: x.count)
      kernels.softCap(&capped, at: cap)
      for (found, x) in zip(array(capped), x) {
        let expected = Double(cap) * tanh(Double(x) / Double(cap))
        #expect(abs(Double(found) - expected) <= 5e-7 * abs(expected), "cap of \(x)")
      }
      var nan = matrix([.nan], rows: 1, columns: 1)
      kernels.softCap(&nan, at: cap)
      #expect(nan[0][0].isNaN)
    }
  }

  @Test func `a scaled sum is rounded twice in every form`() throws {
    var generator = SeededGenerator(seed: 23)
    let x = generator.floats(301), y = generator.floats(301)
    let expected = zip(x, y).map { x, y in
      let scaled = 0.3 * x
      return y + scaled
    }
    let fused = zip(x, y).map { x, y in y.addingProduct(0.3, x) }
    #expect(bitDifferences(expected, fused) != [])
    for kernels in try allKernels() {
      var sum = matrix(y, rows: 7, columns: 43)
      kernels.add(matrix(x, rows: 7, columns: 43), scale: 0.3, to: &sum)
      #expect(bitDifferences(array(sum), expected) == [])
    }
  }

  @Test func `sums, scales and biases touch every row in use and no other`() throws {
    for kernels in try allKernels() {
      var y = matrix([1, 2, 3, 4, 5, 6], rows: 3, columns: 2)
      y.rowCount = 2
      kernels.add(matrix([10, 20, 30, 40], rows: 2, columns: 2), to: &y)
      kernels.scale(&y, by: 2)
      kernels.addBias(tensor([0.5, -0.5], [2], as: .bfloat16), to: &y)
      y.rowCount = 3
      #expect(array(y) == [22.5, 43.5, 66.5, 87.5, 5, 6])
    }
  }
}
