import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct `Rotary embedding` {
  /// The frequencies of a head, as models compute them in float32.
  private func frequencies(_ headDimension: Int, theta: Float = 10_000) -> [Float] {
    (0..<headDimension / 2).map { 1 / powf(theta, Float(2 * $0) / Float(headDimension)) }
  }

  @Test(arguments: [0, 1, 1_000, 100_000])
  func `rotation agrees with double precision of the float32 angle`(position: Int) throws {
    var generator = SeededGenerator(seed: 41)
    let dimension = 64, heads = 3, rows = 2, half = dimension / 2
    let x = generator.floats(rows * heads * dimension)
    let inverse = frequencies(dimension)
    var expected = x.map(Double.init)
    for row in 0..<rows {
      for head in 0..<heads {
        for i in 0..<half {
          let angle = Double(Float(position + row) * inverse[i])
          let lower = (row * heads + head) * dimension + i
          let a = Double(x[lower]), b = Double(x[lower + half])
          expected[lower] = 1.25 * (a * cos(angle) - b * sin(angle))
          expected[lower + half] = 1.25 * (b * cos(angle) + a * sin(angle))
        }
      }
    }
    for kernels in try allKernels() {
      var rotated = matrix(x, rows: rows, columns: heads * dimension)
      kernels.rotate(&rotated, from: position, inverse, attentionFactor: 1.25)
      #expect(largestDifference(array(rotated), expected) < 1e-6)
    }
  }

  @Test func `position zero changes nothing and position one does`() throws {
    var generator = SeededGenerator(seed: 42)
    let x = generator.floats(16)
    for kernels in try allKernels() {
      var rotated = matrix(x, rows: 1, columns: 16)
      kernels.rotate(&rotated, from: 0, frequencies(8))
      #expect(array(rotated) == x)
      kernels.rotate(&rotated, from: 1, frequencies(8))
      #expect(array(rotated) != x)
    }
  }

  @Test func `a quarter turn moves the lower half of a head to the upper`() throws {
    for kernels in try allKernels() {
      var x = matrix([1, 2, 3, 4], rows: 1, columns: 4)
      kernels.rotate(&x, from: 1, [.pi / 2, 0])
      // Element 0 pairs with element 2; element 1 and 3 do not turn.
      #expect(largestDifference(array(x), [-3, 2, 1, 4]) < 1e-6)
    }
  }
}

extension Kernels {
  /// Rotates rows at consecutive positions.
  fileprivate func rotate(
    _ x: inout FloatMatrix, from firstPosition: Int, _ inverseFrequencies: [Float],
    attentionFactor: Float = 1
  ) {
    var rotations = FloatMatrix(
      rowCapacity: x.rowCount, columnCount: 2 * inverseFrequencies.count)
    writeRotations(
      0..<x.rowCount, firstPosition: firstPosition, inverseFrequencies: inverseFrequencies,
      attentionFactor: attentionFactor, into: &rotations)
    rotate(&x, by: rotations)
  }
}
