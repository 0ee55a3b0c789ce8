import Kernels
import Quantization
import Tensors
import TestSupport
import Testing
import WeightFiles

@Suite struct `Quantizing to blocks of ggml` {
  static let referenceTypes: [ElementType] = [
    .blockQ80, .blockQ40, .blockQ41, .blockQ50, .blockQ51,
  ]
  static let searchedTypes: [ElementType] = [.blockQ4K, .blockQ5K, .blockQ6K]

  private static func vectors() throws -> SafetensorsFile {
    try SafetensorsFile(Vectors.path("blocks/quantized.safetensors"))
  }

  @Test(arguments: referenceTypes)
  func `gives the bytes of ggml's reference`(type: ElementType) throws {
    let file = try Self.vectors()
    let x = try file.tensor(named: "x")
    let expected = try file.tensor(named: type.rawValue).byteArray
    for kernels in try allKernels() {
      #expect(try quantize(x, as: type, with: kernels).byteArray == expected)
    }
  }

  @Test(arguments: searchedTypes)
  func `leaves no more of any row than ggml's reference`(type: ElementType) throws {
    let file = try Self.vectors()
    let kernels = try Kernels(threadCount: 2)
    let x = try file.tensor(named: "k_x")
    let found = array(try quantize(x, as: type, with: kernels), with: kernels)
    let errors = try file.tensor(named: "\(type).errors")
    let expected = Span<Double>(_bytes: errors.bytes)
    let elements = x.floatArray, columns = x.shape[1]
    for row in 0..<x.shape[0] {
      let range = row * columns..<(row + 1) * columns
      let error = range.reduce(0.0) { $0 + pow2(Double(found[$1]) - Double(elements[$1])) }
      // Where all elements are equal, only the rounding of a float16 scale is left, which is luck.
      let luck = range.reduce(0.0) { max($0, abs(Double(elements[$1]))) } * 0x1p-11
      let isConstant = Set(elements[range]).count == 1
      #expect(error <= (isConstant ? Double(columns) * luck * luck : expected[row]), "row \(row)")
    }
  }

  private func pow2(_ x: Double) -> Double { x * x }

  @Test(arguments: referenceTypes + searchedTypes, [ElementType.float16, .bfloat16])
  func `half floats give the blocks of their values`(type: ElementType, half: ElementType) throws {
    let kernels = try Kernels(threadCount: 2)
    let floats = floatTensor(normalFloats(3 * 512, seed: 8), rows: 3, columns: 512)
    let halves = kernels.tensor(kernels.floats(of: floats), shape: [3, 512], as: half)
    let widened = kernels.tensor(kernels.floats(of: halves), shape: [3, 512], as: .float32)
    #expect(
      try quantize(halves, as: type, with: kernels).byteArray
        == quantize(widened, as: type, with: kernels).byteArray)
  }

  @Test(arguments: referenceTypes + searchedTypes)
  func `the bytes are those of any instruction set and any number of threads`(
    type: ElementType
  ) throws {
    let tensor = floatTensor(normalFloats(96 * 512, seed: 9), rows: 96, columns: 512)
    let expected = try quantize(
      tensor, as: type, with: Kernels(threadCount: 1, instructionSet: .generic)
    ).byteArray
    for kernels in try allKernels() + [Kernels(threadCount: 5)] {
      #expect(try quantize(tensor, as: type, with: kernels).byteArray == expected)
    }
  }

  @Test(arguments: referenceTypes + searchedTypes)
  func `zeros stay zeros`(type: ElementType) throws {
    let kernels = try Kernels(threadCount: 1)
    let zeros = floatTensor(Array(repeating: 0, count: 512), rows: 2, columns: 256)
    let found = array(try quantize(zeros, as: type, with: kernels), with: kernels)
    #expect(found.allSatisfy { $0 == 0 })
  }

  @Test(arguments: referenceTypes + searchedTypes, [Float.nan, .infinity, -.infinity])
  func `an element that is no number is named`(type: ElementType, value: Float) throws {
    var elements = normalFloats(4 * 256, seed: 10)
    elements[2 * 256 + 77] = value
    let tensor = floatTensor(elements, rows: 4, columns: 256)
    let error = #expect(throws: QuantizationError.self) {
      try quantize(tensor, as: type, with: Kernels(threadCount: 2))
    }
    #expect(error?.code == .notFinite)
    #expect(error?.description == "element [2, 77] is \(value), expected a finite number")
  }

  @Test(arguments: referenceTypes + searchedTypes, [Float(3e8), -3e8, 3e12, -3e38])
  func `an element beyond all scales is named`(type: ElementType, value: Float) throws {
    var elements = normalFloats(4 * 256, seed: 10)
    elements[3 * 256 + 5] = value
    let tensor = floatTensor(elements, rows: 4, columns: 256)
    let error = #expect(throws: QuantizationError.self) {
      try quantize(tensor, as: type, with: Kernels(threadCount: 2))
    }
    #expect(error?.code == .tooLarge)
    #expect(
      error?.description
        == "element [3, 5] is \(value), too large for the float16 scales of \(type)")
  }

  @Test(
    arguments: [
      (.blockQ4K, [2, 288], "256"), (.blockQ80, [2, 48], "32"), (.blockQ80, [64], "32"),
    ] as [(ElementType, Shape, String)])
  func `a shape that is no rows of blocks is refused`(
    type: ElementType, shape: Shape, multiple: String
  ) throws {
    let tensor = Tensor(shape: shape, elementType: .float32) { _ in }
    let error = #expect(throws: QuantizationError.self) {
      try quantize(tensor, as: type, with: Kernels(threadCount: 1))
    }
    #expect(error?.code == .unsuitable)
    #expect(
      error?.description
        == "F32 \(shape) cannot become \(type), expected an F32, F16 or BF16 matrix whose columns "
        + "are a multiple of \(multiple)")
  }

  @Test func `a type that only comes from files is refused`() throws {
    let tensor = floatTensor(normalFloats(256, seed: 11), rows: 1, columns: 256)
    let error = #expect(throws: QuantizationError.self) {
      try quantize(tensor, as: .blockIQ2XS, with: Kernels(threadCount: 1))
    }
    #expect(
      error?.description
        == "Flare does not quantize to IQ2_XS, expected int8, int4, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
        + "Q4_K, Q5_K, Q6_K")
  }
}
