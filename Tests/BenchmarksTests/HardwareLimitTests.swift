import Benchmarks
import Kernels
import Tensors
import TestSupport
import Testing

struct HardwareLimitTests {
  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable))
  func `products in registers are counted, in narrow sums where there are any`(
    set: InstructionSet
  ) throws {
    let kernels = try Kernels(threadCount: 2, instructionSet: set)
    let count = kernels.multiplyRegisters(narrow: false, rounds: 5000)
    #expect(count > 0 && count % 5000 == 0)
    #expect(kernels.multiplyRegisters(narrow: false, rounds: 10_000) == 2 * count)
    #expect((kernels.multiplyRegisters(narrow: true, rounds: 5000) > 0) == (set == .avx2))
  }

  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable))
  func `reading a tensor reads every word of it`(set: InstructionSet) throws {
    let kernels = try Kernels(threadCount: 1, instructionSet: set)
    let words = (0..<1500).map { UInt64($0 * $0 + 7) }
    let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
    let tensor = Tensor(bytes: bytes, shape: [bytes.count], elementType: .uint8)
    #expect(kernels.readAll(of: tensor) == words.reduce(0, ^))
  }

  @Test func `limits are positive and only grow`() throws {
    let kernels = try Kernels(threadCount: 2)
    var meter = LimitMeter(with: kernels)
    meter.measure()
    let first = meter.limits
    #expect(first.readBandwidth > 0 && first.readBandwidth.isFinite)
    #expect(first.int8Rate > 0 && first.int8Rate.isFinite)
    meter.measure()
    #expect(meter.limits.readBandwidth >= first.readBandwidth)
    #expect(meter.limits.int8Rate >= first.int8Rate)
    #expect(meter.limits.rate(for: .bfloat16) == nil)
  }
}
