import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct `Grouped matrices` {
  /// One product of a grouped matrix with seeded activations.
  private func product(
    _ weight: Tensor, positions: Int, with kernels: Kernels, activations: [Float]? = nil
  ) -> [Float] {
    var generator = SeededGenerator(seed: 7)
    let columns = weight.shape[1]
    let x = activations ?? generator.floats(positions * columns, in: -3...3)
    let input = layerInput(x, rows: positions, columns: columns, for: weight, with: kernels)
    var output = FloatMatrix(rowCapacity: positions, columnCount: weight.shape[0])
    kernels.multiply(weight, input, into: &output)
    return array(output)
  }

  @Test(arguments: ElementType.groupedTypes, [1, 15, 16, 17, 70])
  func `all instruction sets give the same bits`(type: ElementType, rows: Int) throws {
    for columns in [1, 3, 8].map({ $0 * type.columnMultiple }) where columns <= 768 {
      let weight = groupedTensor(type, rows: rows, columns: columns, seed: UInt64(rows))
      for positions in [1, 2, 3, 4, 5, 6, 7, 8, 9, 33] {
        let generic = try Kernels(threadCount: 1, instructionSet: .generic)
        let expected = product(weight, positions: positions, with: generic)
        #expect(expected.contains { $0 != 0 })
        for kernels in try allKernels() {
          let found = product(weight, positions: positions, with: kernels)
          #expect(
            bitDifferences(found, expected) == [],
            "\(kernels.instructionSet) \(rows)x\(columns) at \(positions) positions")
        }
      }
    }
  }

  @Test(arguments: [ElementType.groupedInt8, .groupedInt4], [UInt8(0), 255])
  func `extreme quants and activations do not saturate`(type: ElementType, quant: UInt8) throws {
    let weight = groupedTensor(
      type, rows: 16, columns: 64, seed: 1, editByte: { _ in quant },
      editScale: { _, _, _ in 1 })
    let bias: Double = type == .groupedInt4 ? 8 : 128
    let element = (type == .groupedInt4 ? Double(quant & 15) : Double(quant)) - bias
    for kernels in try allKernels() {
      for sign: Float in [1, -1] {
        let found = product(
          weight, positions: 1, with: kernels,
          activations: Array(repeating: 127 * sign, count: 64))
        let expected = Array(repeating: 64 * element * 127 * Double(sign), count: 16)
        #expect(largestDifference(found, expected) == 0, "\(kernels.instructionSet)")
      }
    }
  }

  @Test(arguments: [UInt8(0), 0xFF], [UInt8(0x80), 0x7F])
  func `extreme quants and scales of blocks do not saturate`(quants: UInt8, scales: UInt8) throws {
    for type in [ElementType.groupedQ4K, .groupedQ5K, .groupedQ6K] {
      let layout = try #require(GroupedLayout(type, shape: [16, 256]))
      let weight = Tensor(shape: [16, 256], elementType: type) { bytes in
        for i in 0..<layout.blockScalesOffset {
          bytes.storeBytes(
            of: i < layout.scalesOffset ? quants : scales, toByteOffset: i, as: UInt8.self)
        }
        for i in stride(from: layout.blockScalesOffset, to: layout.panelByteCount, by: 2) {
          bytes.storeBytes(of: Float16(1).bitPattern, toByteOffset: i, as: UInt16.self)
        }
      }
      // Scale and minimum are the same byte, unsigned; a scale of q6_K is signed.
      let element =
        switch type {
        case .groupedQ4K: Double(scales) * (Double(quants & 15) - 1)
        case .groupedQ5K: Double(scales) * (Double(quants & 31) - 1)
        default: Double(Int8(bitPattern: scales)) * (Double(quants & 63) - 32)
        }
      for kernels in try allKernels() {
        for sign: Float in [1, -1] {
          let found = product(
            weight, positions: 1, with: kernels,
            activations: Array(repeating: 127 * sign, count: 256))
          let expected = Array(repeating: 256 * element * 127 * Double(sign), count: 16)
          // Sums of 8 groups, each a whole number below 2^24, lose a little where they are above.
          let bound = abs(256 * element * 127) * 8 * 0x1p-23
          #expect(largestDifference(found, expected) <= bound, "\(type) \(kernels.instructionSet)")
        }
      }
    }
  }

  @Test(arguments: ElementType.groupedTypes)
  func `the product is that of the dequantized operands`(type: ElementType) throws {
    let rows = 19, columns = type.columnMultiple * (type.columnMultiple == 32 ? 5 : 2)
    let positions = 5
    let weight = groupedTensor(type, rows: rows, columns: columns, seed: 3)
    for kernels in try allKernels() {
      let w = array(kernels.floats(of: weight))
      // Whole numbers up to 127 with the extreme in each group are their own quants.
      var generator = SeededGenerator(seed: 5)
      var x = generator.floats(positions * columns, in: -126...126).map { $0.rounded() }
      for i in stride(from: 0, to: x.count, by: 32) { x[i] = 127 }
      let found = product(weight, positions: positions, with: kernels, activations: x)
      for i in 0..<positions {
        for r in 0..<rows {
          let products = (0..<columns).map {
            Double(w[r * columns + $0]) * Double(x[i * columns + $0])
          }
          // Sums inside a group are exact. Each group rounds its scale and its addition: half an
          // ulp each of at most the sum of all magnitudes.
          var magnitudes = products.reduce(0) { $0 + abs($1) }
          var roundings = Double(2 * columns / 32)
          if type == .groupedQ4K || type == .groupedQ5K {
            // So it does its minimum, and what the two subtract from is larger than the difference.
            // d, dmin are at most 0.01, scales and minimums 255.
            magnitudes = 127 * Double(columns) * 0.01 * 255 * (31 + 1)
            roundings *= 2
          }
          // The dequantized element is rounded too, where it has more than 24 bits.
          let bound = (roundings + 1) * 0x1p-24 * magnitudes
          let difference = abs(Double(found[i * rows + r]) - products.reduce(0, +))
          #expect(difference <= bound)
        }
      }
    }
  }

  @Test(arguments: ElementType.groupedTypes)
  func `a zero row gives zero`(type: ElementType) throws {
    let columns = 2 * type.columnMultiple
    let weight = groupedTensor(
      type, rows: 17, columns: columns, seed: 2,
      editScale: { row, _, scale in row == 3 ? 0 : scale })
    for kernels in try allKernels() {
      let found = product(weight, positions: 3, with: kernels)
      for i in 0..<3 {
        #expect(found[i * 17 + 3] == 0)
        #expect(found[i * 17 + 4] != 0)
      }
      let silent = product(
        weight, positions: 1, with: kernels, activations: Array(repeating: 0, count: columns))
      #expect(silent.allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: ElementType.groupedTypes, [Float.nan, .infinity, -.infinity])
  func `an activation that is not finite makes its whole position NaN and no other`(
    type: ElementType, value: Float
  ) throws {
    let columns = 2 * type.columnMultiple
    let weight = groupedTensor(type, rows: 16, columns: columns, seed: 2)
    for kernels in try allKernels() {
      var x = Array(repeating: Float(1), count: 3 * columns)
      x[columns + 40] = value
      let found = product(weight, positions: 3, with: kernels, activations: x)
      #expect(found[0..<16].allSatisfy { $0.isFinite })
      #expect(found[16..<32].allSatisfy { $0.isNaN })
      #expect(found[32..<48].allSatisfy { $0.isFinite })
    }
  }

  @Test(arguments: ElementType.groupedTypes, [Float16.nan, .infinity])
  func `a scale that is not finite shows in its row in every instruction set`(
    type: ElementType, value: Float16
  ) throws {
    let weight = groupedTensor(
      type, rows: 17, columns: 3 * type.columnMultiple, seed: 9,
      editScale: { row, index, scale in row == 5 && index == 1 ? value : scale })
    let generic = try Kernels(threadCount: 1, instructionSet: .generic)
    let expected = product(weight, positions: 9, with: generic)
    for kernels in try allKernels() {
      let found = product(weight, positions: 9, with: kernels)
      #expect(bitDifferences(found, expected) == [])
      #expect(!found[5].isFinite)
      #expect(found[4].isFinite && found[6].isFinite)
    }
  }

  @Test func `padding rows are not written beyond the output`() throws {
    let weight = groupedTensor(.groupedInt4, rows: 17, columns: 32, seed: 4)
    for kernels in try allKernels() {
      let input = layerInput(
        Array(repeating: 1, count: 2 * 32), rows: 2, columns: 32, for: weight, with: kernels)
      // The third row is not in use and directly behind the last written one.
      var output = matrix(Array(repeating: 42, count: 3 * 17), rows: 3, columns: 17)
      kernels.multiply(weight, input, into: &output)
      #expect(output.rowCount == 2)
      output.rowCount = 3
      #expect(array(output)[34...].allSatisfy { $0 == 42 })
    }
  }

  @Test func `multiplying after a change without preparing again is a trap`() async {
    await #expect(processExitsWith: .failure) {
      let weight = groupedTensor(.groupedInt4, rows: 16, columns: 32, seed: 4)
      guard let kernels = try? Kernels(threadCount: 1) else { return }
      var input = layerInput(
        Array(repeating: 1, count: 32), rows: 1, columns: 32, for: weight, with: kernels)
      var elements = input.values.mutableElements
      elements[0] = 2
      var output = FloatMatrix(rowCapacity: 1, columnCount: 16)
      kernels.multiply(weight, input, into: &output)
    }
  }
}
