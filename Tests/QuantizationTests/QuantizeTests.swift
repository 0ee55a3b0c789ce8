import Kernels
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct `Quantizing a tensor` {
  @Test(arguments: [ElementType.groupedInt8, .groupedInt4], [1, 16, 53])
  func `gives the same bytes on every instruction set`(type: ElementType, rows: Int) throws {
    let columns = 160
    var weights = normalFloats(rows * columns, seed: 6)
    for i in 0..<32 { weights[i] = 0 }
    for i in 32..<64 { weights[i] *= 1e-7 }  // scales that are subnormal in float16
    let source = floatTensor(weights, rows: rows, columns: columns)
    let generic = try Kernels(threadCount: 1, instructionSet: .generic)
    let expected = bytes(of: try quantize(source, as: type, with: generic))
    for kernels in try allKernels() {
      #expect(bytes(of: try quantize(source, as: type, with: kernels)) == expected)
    }
  }

  @Test(arguments: [ElementType.groupedInt8, .groupedInt4])
  func `gives the same from bfloat16 as from its floats`(type: ElementType) throws {
    let weights = normalFloats(20 * 64, seed: 7).map { Float(BFloat16($0)) }
    let kernels = try Kernels(threadCount: 2)
    let source = floatTensor(weights, rows: 20, columns: 64)
    let narrow = kernels.tensor(kernels.floats(of: source), shape: [20, 64], as: .bfloat16)
    #expect(
      bytes(of: try quantize(source, as: type, with: kernels))
        == bytes(of: try quantize(narrow, as: type, with: kernels)))
  }

  @Test(arguments: [ElementType.groupedInt8, .groupedInt4])
  func `keeps zeros zero`(type: ElementType) throws {
    let kernels = try Kernels(threadCount: 1)
    let zeros = Array(repeating: Float(0), count: 64)
    let tensor = try quantize(floatTensor(zeros, rows: 2, columns: 32), as: type, with: kernels)
    #expect(array(tensor, with: kernels) == zeros)
  }

  @Test(arguments: [ElementType.groupedQ4K, .groupedQ5K, .groupedQ6K, .float32])
  func `refuses types that it does not make`(type: ElementType) throws {
    let kernels = try Kernels(threadCount: 1)
    let weights = floatTensor(Array(repeating: 1, count: 256), rows: 1, columns: 256)
    let error = #expect(throws: QuantizationError.self) {
      try quantize(weights, as: type, with: kernels)
    }
    #expect(error?.code == .unsuitable)
    #expect(
      error?.description
        == "Flare does not quantize to \(type), expected int8, int4, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
        + "Q4_K, Q5_K, Q6_K")
  }

  @Test(arguments: [ElementType.groupedInt8, .groupedInt4], [Float.nan, .infinity, -.infinity])
  func `says which element is not finite`(type: ElementType, value: Float) throws {
    var weights = normalFloats(20 * 64, seed: 8)
    weights[17 * 64 + 40] = value
    for kernels in try allKernels() {
      let error = #expect(throws: QuantizationError.self) {
        try quantize(floatTensor(weights, rows: 20, columns: 64), as: type, with: kernels)
      }
      #expect(error?.code == .notFinite)
      #expect(
        error?.description == "element [17, 40] is \(value), expected a finite number")
    }
  }

  @Test(arguments: [
    (ElementType.groupedInt8, Float(9e6)), (.groupedInt4, 6e5), (.groupedInt4, 3e38),
  ])
  func `says which element no float16 scale can reach`(type: ElementType, value: Float) throws {
    var weights = normalFloats(2 * 32, seed: 9)
    weights[33] = -value
    for kernels in try allKernels() {
      let error = #expect(throws: QuantizationError.self) {
        try quantize(floatTensor(weights, rows: 2, columns: 32), as: type, with: kernels)
      }
      #expect(error?.code == .tooLarge)
      #expect(error?.description.hasPrefix("element [1, 1] is ") == true)
    }
  }

  @Test func `refuses what is no float matrix of whole groups`() throws {
    let kernels = try Kernels(threadCount: 1)
    let narrow = floatTensor(Array(repeating: 1, count: 33), rows: 1, columns: 33)
    let error = #expect(throws: QuantizationError.self) {
      try quantize(narrow, as: .groupedInt4, with: kernels)
    }
    #expect(error?.code == .unsuitable)
    #expect(
      error?.description
        == "F32 [1, 33] cannot become int4, expected an F32, F16 or BF16 matrix whose columns are "
        + "a multiple of 32")
    let done = try quantize(
      floatTensor(Array(repeating: 1, count: 32), rows: 1, columns: 32), as: .groupedInt8,
      with: kernels)
    #expect(throws: QuantizationError.self) {
      try quantize(done, as: .groupedInt4, with: kernels)
    }
  }
}
