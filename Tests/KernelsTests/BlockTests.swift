import Kernels
import Tensors
import TestSupport
import Testing
import WeightFiles

@Suite struct `Blocks of GGUF` {
  /// A type of GGUF, the type that it becomes, and the places of float16 scales in a block.
  struct Format: Sendable, CustomTestStringConvertible {
    let name: String
    let type: ElementType
    let blockByteCount: Int
    let scales: [Int]

    var testDescription: String { name }
  }

  static let formats = [
    Format(name: "Q8_0", type: .groupedInt8, blockByteCount: 34, scales: [0]),
    Format(name: "Q4_0", type: .groupedInt4, blockByteCount: 18, scales: [0]),
    Format(name: "Q4_K", type: .groupedQ4K, blockByteCount: 144, scales: [0, 2]),
    Format(name: "Q6_K", type: .groupedQ6K, blockByteCount: 210, scales: [208]),
  ]

  /// Random blocks whose float16 scales are finite.
  private func blocks(_ format: Format, count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes = (0..<count * format.blockByteCount).map { _ in
      UInt8.random(in: 0...255, using: &generator)
    }
    for start in stride(from: 0, to: bytes.count, by: format.blockByteCount) {
      for offset in format.scales { bytes[start + offset + 1] &= 0xBF }  // exponents below 16
    }
    return bytes
  }

  private func tensor(_ bytes: [UInt8]) -> Tensor {
    Tensor(bytes: bytes, shape: [bytes.count], elementType: .uint8)
  }

  @Test(arguments: formats)
  func `repacked values are those of the gguf package bit for bit`(format: Format) throws {
    let file = try SafetensorsFile(Vectors.path("gguf/blocks.safetensors"))
    let blocks = try file.tensor(named: format.name)
    let expected = try file.tensor(named: "\(format.name).values").floatArray
    #expect(expected.contains { $0 != 0 })
    for kernels in try allKernels() {
      let weight = kernels.repack(blocks, shape: [3, 512], as: format.type)
      let found = array(kernels.floats(of: weight))
      #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
    }
  }

  @Test(arguments: formats)
  func `a row has the same values wherever it is in the matrix`(format: Format) throws {
    let columns = 2 * format.type.columnMultiple, rowByteCount = 2 * format.blockByteCount
    let rows = 37
    let bytes = blocks(format, count: 2 * rows, seed: 71)
    let kernels = try Kernels(threadCount: 2)
    let all = array(
      kernels.floats(of: kernels.repack(tensor(bytes), shape: [rows, columns], as: format.type)))
    for row in 0..<rows {
      let alone = kernels.repack(
        tensor(Array(bytes[row * rowByteCount..<(row + 1) * rowByteCount])), shape: [1, columns],
        as: format.type)
      #expect(array(kernels.floats(of: alone)) == Array(all[row * columns..<(row + 1) * columns]))
    }
  }

  @Test(arguments: formats, [Float16.nan, .infinity, -.infinity])
  func `a scale that is not finite is taken over and shows in the product`(
    format: Format, value: Float16
  ) throws {
    let columns = format.type.columnMultiple
    var bytes = blocks(format, count: 3, seed: 72)
    for offset in format.scales {
      let place = format.blockByteCount + offset
      bytes[place] = UInt8(truncatingIfNeeded: value.bitPattern)
      bytes[place + 1] = UInt8(truncatingIfNeeded: value.bitPattern >> 8)
    }
    for kernels in try allKernels() {
      let weight = kernels.repack(tensor(bytes), shape: [3, columns], as: format.type)
      let input = layerInput(
        (0..<columns).map { Float($0 % 7) }, rows: 1, columns: columns, for: weight, with: kernels)
      var output = FloatMatrix(rowCapacity: 1, columnCount: 3)
      kernels.multiply(weight, input, into: &output)
      #expect(output[0][0].isFinite && !output[0][1].isFinite && output[0][2].isFinite)
    }
  }

  @Test(arguments: formats)
  func `blocks take hardly more bytes as panels`(format: Format) throws {
    // Two panels of a realistic width: padding to cache lines vanishes in it.
    let blockCount = 32 * 2048 / format.type.columnMultiple
    let before = Double(blockCount * format.blockByteCount)
    let after = Double(try #require(format.type.byteCount(of: [32, 2048])))
    #expect(after / before <= (format.type == .groupedQ4K ? 1.03 : 1.002))
  }

  @Test(arguments: [ElementType.groupedQ4K, .groupedQ6K])
  func `rows that are no whole blocks are no matrix of the type`(type: ElementType) {
    #expect(type.byteCount(of: [16, 256]) != nil)
    #expect(type.byteCount(of: [16, 288]) == nil)
    #expect(type.byteCount(of: [16, 32]) == nil)
  }

  @Test func `blocks of another size are a trap`() async {
    await #expect(processExitsWith: .failure) {
      guard let kernels = try? Kernels(threadCount: 1) else { return }
      let blocks = Tensor(
        bytes: Array(repeating: 0, count: 143), shape: [143], elementType: .uint8)
      _ = kernels.repack(blocks, shape: [1, 256], as: .groupedQ4K)
    }
  }
}
