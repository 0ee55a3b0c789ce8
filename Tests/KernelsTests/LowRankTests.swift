import Tensors
import TestSupport
import Testing

@testable import Kernels

@Suite struct `Low-rank terms` {
  private static let rank = 3, outputs = 2100, inputs = 256, bottleneckColumns = 7, firstColumn = 2
  private let scale: Float = 0.75

  private struct Case {
    let weight: Tensor
    let up: [Float]
    let x: [Float]
    let bottleneck: [Float]

    init(_ type: ElementType, positions: Int) {
      var generator = SeededGenerator(seed: 51)
      weight =
        type.isGrouped
        ? groupedTensor(type, rows: outputs, columns: inputs, seed: 52)
        : tensor(generator.floats(outputs * inputs), [outputs, inputs], as: type)
      up = generator.floats(rank * outputs)
      x = generator.floats(positions * inputs)
      bottleneck = generator.floats(positions * bottleneckColumns)
    }

    /// One row of the case.
    func row(_ row: Int) -> Case {
      Case(
        weight: weight, up: up, x: Array(x[row * inputs..<(row + 1) * inputs]),
        bottleneck: Array(
          bottleneck[row * bottleneckColumns..<(row + 1) * bottleneckColumns]))
    }

    private init(weight: Tensor, up: [Float], x: [Float], bottleneck: [Float]) {
      self.weight = weight
      self.up = up
      self.x = x
      self.bottleneck = bottleneck
    }

    func term(scale: Float, _ kernels: Kernels) -> LowRankTerm {
      let factor = LowRankFactor(
        tensor(up, [rank, outputs]), mayRound: false, with: kernels)
      return LowRankTerm(factor, firstColumn: firstColumn, scale: scale)
    }
  }

  /// W · x + term, made in one call.
  private func product(_ test: Case, positions: Int, _ kernels: Kernels) -> [Float] {
    let input = layerInput(
      test.x, rows: positions, columns: Self.inputs, for: test.weight, with: kernels)
    var output = FloatMatrix(rowCapacity: positions, columnCount: Self.outputs)
    kernels.multiply(
      test.weight, input, adding: test.term(scale: scale, kernels),
      of: matrix(test.bottleneck, rows: positions, columns: Self.bottleneckColumns), into: &output)
    return array(output)
  }

  @Test(arguments: [1, 5, 48])
  func `a term is what double precision makes of its columns`(positions: Int) throws {
    let test = Case(.float32, positions: positions)
    var expected = [Double](repeating: 0, count: positions * Self.outputs)
    for row in 0..<positions {
      for output in 0..<Self.outputs {
        for k in 0..<Self.rank {
          let number = test.bottleneck[row * Self.bottleneckColumns + Self.firstColumn + k]
          expected[row * Self.outputs + output] +=
            Double(scale) * Double(number) * Double(test.up[k * Self.outputs + output])
        }
      }
    }
    for kernels in try allKernels() {
      var sums = FloatMatrix(rowCapacity: positions, columnCount: Self.outputs)
      kernels.add(
        test.term(scale: scale, kernels),
        of: matrix(test.bottleneck, rows: positions, columns: Self.bottleneckColumns), to: &sums)
      #expect(largestDifference(array(sums), expected) < 1e-5)
    }
  }

  @Test(arguments: [ElementType.groupedInt4, .groupedInt8, .float32], [1, 5, 48])
  func `adding within a product gives the bits of adding behind it`(
    type: ElementType, positions: Int
  ) throws {
    let test = Case(type, positions: positions)
    for kernels in try allKernels() {
      let input = layerInput(
        test.x, rows: positions, columns: Self.inputs, for: test.weight, with: kernels)
      var apart = FloatMatrix(rowCapacity: positions, columnCount: Self.outputs)
      kernels.multiply(test.weight, input, into: &apart)
      let base = array(apart)
      kernels.add(
        test.term(scale: scale, kernels),
        of: matrix(test.bottleneck, rows: positions, columns: Self.bottleneckColumns), to: &apart)
      #expect(product(test, positions: positions, kernels) == array(apart))
      #expect(array(apart) != base)
    }
  }

  @Test(arguments: [ElementType.groupedInt4, .float32])
  func `a row has the same bits among others and on any number of threads`(
    type: ElementType
  ) throws {
    let several = Case(type, positions: 47)
    for set in InstructionSet.allCases where set.isAvailable {
      let rows = product(several, positions: 47, try Kernels(threadCount: 2, instructionSet: set))
      for row in [0, 46] {
        let single = product(
          several.row(row), positions: 1, try Kernels(threadCount: 1, instructionSet: set))
        #expect(single == Array(rows[row * Self.outputs..<(row + 1) * Self.outputs]))
      }
    }
  }

  @Test func `a factor is narrowed when that loses nothing, or may lose little`() throws {
    let kernels = try Kernels(threadCount: 1)
    func type(_ elements: [Float], mayRound: Bool) -> ElementType {
      kernels.narrowed(tensor(elements, [1, elements.count]), mayRound: mayRound).elementType
    }
    let half: [Float] = [1.0009766, -3], brain: [Float] = [0x1p-100, 0.5], wide: [Float] = [0.1, 1]
    for mayRound in [false, true] {
      #expect(type(half, mayRound: mayRound) == .float16)
      #expect(type(brain, mayRound: mayRound) == .bfloat16)
    }
    #expect(type(wide, mayRound: false) == .float32)
    #expect(type(wide, mayRound: true) == .float16)
    // Beyond float16, and all but lost in it.
    #expect(type([70_000.1, 0.1], mayRound: true) == .float32)
    #expect(type([1.1e-7, 3.3e-8], mayRound: true) == .float32)
    #expect(type([.nan, 0.1], mayRound: true) == .float32)
  }
}
