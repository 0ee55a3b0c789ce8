import Kernels
import Tensors
import TestSupport
import Testing
import WeightFiles

@Suite struct `Blocks of GGUF` {
  @Test(arguments: ElementType.blockedTypes)
  func `the elements of every type are those of ggml bit for bit`(type: ElementType) throws {
    let file = try SafetensorsFile(Vectors.path("blocks/values.safetensors"))
    let blocks = try blockTensor(type, file.tensor(named: type.rawValue).byteArray, rows: 3)
    let expected = try file.tensor(named: "\(type).values").floatArray
    #expect(expected.contains { $0 != 0 })
    for kernels in try allKernels() {
      let found = array(kernels.floats(of: blocks))
      #expect(bitDifferences(found, expected) == [])
    }
  }

  @Test(arguments: [
    ElementType.blockIQ1S, .blockIQ1M, .blockIQ2XXS, .blockIQ2XS, .blockIQ2S, .blockIQ3XXS,
    .blockIQ3S,
  ])
  func `vectors from all over a codebook are those of ggml`(type: ElementType) throws {
    let file = try SafetensorsFile(Vectors.path("blocks/values.safetensors"))
    let blocks = try blockTensor(type, file.tensor(named: "\(type).many").byteArray, rows: 160)
    let expected = Span<UInt64>(_bytes: try file.tensor(named: "\(type).many.sum").bytes)[0]
    for kernels in try allKernels() {
      let sum = array(kernels.floats(of: blocks)).enumerated().reduce(UInt64(0)) {
        $0 &+ UInt64($1.element.bitPattern) &* UInt64(2 * $1.offset + 1)
      }
      #expect(sum == expected)
    }
  }

  @Test(arguments: ElementType.blockedTypes)
  func `a row has the same elements wherever it is looked up`(type: ElementType) throws {
    let table = randomBlocks(type, rows: 37, blocksPerRow: 2, seed: 71)
    let columns = table.shape[1]
    let kernels = try Kernels(threadCount: 2)
    let all = array(kernels.floats(of: table))
    var output = FloatMatrix(rowCapacity: 2, columnCount: columns)
    kernels.gatherRows([36, 17], of: table, into: &output)
    #expect(
      bitDifferences(
        array(output), Array(all[36 * columns..<37 * columns] + all[17 * columns..<18 * columns]))
        == [])
    // And a matrix of rows in another order is the same rows, moved as bytes.
    let turned = array(kernels.floats(of: table.withRows { 36 - $0 }))
    #expect(bitDifferences(Array(turned.prefix(columns)), Array(all.suffix(columns))) == [])
  }

  @Test(arguments: ElementType.blockedTypes, [1, 3, 60])
  func `a product of blocks is that of their elements`(type: ElementType, positions: Int) throws {
    let weight = randomBlocks(type, rows: 19, blocksPerRow: 2, seed: 72)
    let columns = weight.shape[1]
    var generator = SeededGenerator(seed: 73)
    let x = generator.floats(positions * columns)
    for kernels in try allKernels() {
      let floats = kernels.tensor(
        kernels.floats(of: weight), shape: weight.shape, as: .float32)
      func product(_ weight: Tensor) -> [Float] {
        let input = layerInput(x, rows: positions, columns: columns, for: weight, with: kernels)
        var output = FloatMatrix(rowCapacity: positions, columnCount: 19)
        kernels.multiply(weight, input, into: &output)
        return array(output)
      }
      // The same floats meet the same loop.
      #expect(bitDifferences(product(weight), product(floats)) == [])
    }
  }

  @Test(arguments: ElementType.blockedTypes)
  func `preparing changes no element`(type: ElementType) throws {
    for kernels in try allKernels() {
      let blocks = randomBlocks(type, rows: 37, blocksPerRow: 2, seed: 74)
      let prepared = kernels.prepared(blocks)
      #expect(prepared.elementType == type.panelTwin ?? type)
      #expect(
        bitDifferences(array(kernels.floats(of: prepared)), array(kernels.floats(of: blocks))) == []
      )
    }
  }

  /// Types and the places of float16 scales in a block.
  static let scales: [(ElementType, [Int])] = [
    (.blockQ40, [0]), (.blockQ41, [0, 2]), (.blockQ50, [0]), (.blockQ51, [0, 2]), (.blockQ80, [0]),
    (.blockQ10, [0]), (.blockQ20, [0]), (.blockQ2K, [80, 82]), (.blockQ3K, [108]),
    (.blockQ4K, [0, 2]), (.blockQ5K, [0, 2]), (.blockQ6K, [208]), (.blockIQ4NL, [0]),
    (.blockIQ4XS, [0]), (.blockTQ10, [52]), (.blockTQ20, [64]), (.blockIQ1S, [0]),
    (.blockIQ2XXS, [0]), (.blockIQ2XS, [0]), (.blockIQ2S, [0]), (.blockIQ3XXS, [0]),
    (.blockIQ3S, [0]),
  ]

  @Test(arguments: scales, [Float16.nan, .infinity, -.infinity])
  func `a scale that is not finite is found`(
    type: (ElementType, offsets: [Int]), value: Float16
  ) throws {
    let kernels = try Kernels(threadCount: 2)
    let good = randomBlocks(type.0, rows: 3, blocksPerRow: 2, seed: 75)
    let block = try #require(type.0.block)
    #expect(kernels.hasFiniteScales(good))
    for offset in type.offsets {
      var bytes = good.byteArray
      let place = 3 * block.byteCount + offset
      bytes[place] = UInt8(truncatingIfNeeded: value.bitPattern)
      bytes[place + 1] = UInt8(truncatingIfNeeded: value.bitPattern >> 8)
      #expect(!kernels.hasFiniteScales(blockTensor(type.0, bytes, rows: 3)))
    }
  }

  @Test(arguments: ElementType.blockedTypes)
  func `scales pass as finite exactly when all elements are`(type: ElementType) throws {
    let kernels = try Kernels(threadCount: 1)
    let block = try #require(type.block)
    var generator = SeededGenerator(seed: 76)
    var refused = 0
    for _ in 0..<400 {
      // Highest bits set make special exponents likely.
      let bytes = (0..<block.byteCount).map { _ in
        UInt8.random(in: 0...255, using: &generator) | (Bool.random(using: &generator) ? 0x7C : 0)
      }
      let tensor = blockTensor(type, bytes, rows: 1)
      let isFinite = array(kernels.floats(of: tensor)).allSatisfy(\.isFinite)
      // MXFP4 refuses an exponent by what its largest quant would be.
      if type != .blockMXFP4 || !isFinite {
        #expect(kernels.hasFiniteScales(tensor) == isFinite)
      }
      refused += kernels.hasFiniteScales(tensor) ? 0 : 1
    }
    #expect(type == .blockNVFP4 ? refused == 0 : refused > 0)
  }

  @Test(arguments: scales.filter { $0.0.panelTwin != nil })
  func `a scale that is not finite is taken over and shows in the product`(
    type: ElementType, offsets: [Int]
  ) throws {
    let offset = offsets[0]
    let block = try #require(type.block)
    var bytes = randomBlocks(type, rows: 3, blocksPerRow: 1, seed: 77).byteArray
    bytes[block.byteCount + offset + 1] = 0x7C
    for kernels in try allKernels() {
      let weight = kernels.prepared(blockTensor(type, bytes, rows: 3))
      let input = layerInput(
        (0..<block.columnCount).map { Float($0 % 7) }, rows: 1, columns: block.columnCount,
        for: weight, with: kernels)
      var output = FloatMatrix(rowCapacity: 1, columnCount: 3)
      kernels.multiply(weight, input, into: &output)
      #expect(output[0][0].isFinite && !output[0][1].isFinite && output[0][2].isFinite)
    }
  }

  @Test(arguments: [ElementType.blockQ80, .blockQ40, .blockQ4K, .blockQ5K, .blockQ6K])
  func `blocks take hardly more bytes as panels of as many bits`(type: ElementType) throws {
    // Two panels of a realistic width: padding to cache lines vanishes in it.
    let shape: Shape = [32, 2048]
    let before = Double(try #require(type.byteCount(of: shape)))
    let twin = try #require(type.panelTwin)
    let after = Double(try #require(twin.byteCount(of: shape)))
    #expect(after / before <= ([.blockQ4K, .blockQ5K].contains(type) ? 1.03 : 1.002))
  }

  @Test(arguments: ElementType.allCases.filter(\.isQuantized))
  func `rows that are no whole blocks are no matrix of the type`(type: ElementType) {
    let multiple = type.block?.columnCount ?? type.columnMultiple
    #expect(type.byteCount(of: [16, multiple]) != nil)
    #expect(type.byteCount(of: [16, multiple + multiple / 2]) == nil)
    #expect(type.byteCount(of: []) == nil)
  }
}

extension ElementType {
  static let blockedTypes = allCases.filter(\.isBlocked)
}

/// A matrix of these blocks.
private func blockTensor(_ type: ElementType, _ bytes: [UInt8], rows: Int) -> Tensor {
  guard let block = type.block else { preconditionFailure("Not a blocked type") }
  let columns = bytes.count / rows / block.byteCount * block.columnCount
  return Tensor(bytes: bytes, shape: [rows, columns], elementType: type)
}

/// Random blocks, of which no byte can make a float16 scale or an exponent infinite.
private func randomBlocks(
  _ type: ElementType, rows: Int, blocksPerRow: Int, seed: UInt64
) -> Tensor {
  guard let block = type.block else { preconditionFailure("Not a blocked type") }
  var generator = SeededGenerator(seed: seed)
  let bytes = (0..<rows * blocksPerRow * block.byteCount).map { _ in
    UInt8.random(in: 0...255, using: &generator) & 0xBF
  }
  return blockTensor(type, bytes, rows: rows)
}
