import Kernels
import Quantization
import Tensors
import TestSupport
import Testing

@Suite struct `A changed tensor of a quantized base` {
  @Test(arguments: [
    (ElementType.blockQ4K, ElementType.groupedQ4K, [0, 2]), (.blockQ6K, .groupedQ6K, [208]),
    (.blockQ5K, .groupedQ5K, [0, 2]),
  ])
  func `becomes int8 when it came in blocks that Flare does not make`(
    blockType: ElementType, type: ElementType, scaleOffsets: [Int]
  ) throws {
    let blockByteCount = try #require(blockType.block).byteCount
    // Every quant and scale is some number, d and dmin are 1/1024.
    var block = (0..<blockByteCount).map { UInt8(truncatingIfNeeded: 37 * $0) }
    for offset in scaleOffsets { block.replaceSubrange(offset..<offset + 2, with: [0x00, 0x14]) }
    let kernels = try Kernels(threadCount: 1)
    let old = kernels.prepared(Tensor(bytes: block, shape: [1, 256], elementType: blockType))
    let new = array(old, with: kernels).map { 2 * $0 + 0.01 }
    let base = TensorTable(["a.weight": old, "b.weight": old])
    let changed = TensorTable([
      "a.weight": floatTensor(new, rows: 1, columns: 256), "b.weight": old,
    ])

    let tensors = try RequantizedTensors(changed, from: base, with: kernels)
    let requantization = try #require(tensors.requantizations.first)
    #expect(tensors.requantizations.count == 1)
    #expect(requantization.oldType == type && requantization.newType == .groupedInt8)
    #expect(try tensors.tensor(named: "a.weight").elementType == .groupedInt8)
    #expect(try tensors.tensor(named: "b.weight").elementType == type)
  }

  @Test(arguments: [
    (ElementType.blockQ4K, ElementType.blockQ4K), (.blockQ3K, .blockQ5K), (.blockIQ2XS, .blockQ5K),
    (.blockQ6K, .blockQ6K), (.blockQ51, .blockQ51),
  ])
  func `blocks become their own type again, or the next finer one that Flare makes`(
    type: ElementType, expected: ElementType
  ) throws {
    let kernels = try Kernels(threadCount: 1)
    let byteCount = try #require(type.byteCount(of: [1, 256]))
    // The highest bits of no byte make a scale infinite.
    let old = Tensor(
      bytes: (0..<byteCount).map { UInt8(truncatingIfNeeded: 37 * $0) & 0x3B }, shape: [1, 256],
      elementType: type)
    let new = array(old, with: kernels).map { 2 * $0 + 0.01 }
    let changed = TensorTable(["a.weight": floatTensor(new, rows: 1, columns: 256)])
    let tensors = try RequantizedTensors(
      changed, from: TensorTable(["a.weight": old]), with: kernels)
    #expect(tensors.requantizations.map(\.newType) == [expected])
    #expect(try tensors.tensor(named: "a.weight").elementType == expected)
  }
}
