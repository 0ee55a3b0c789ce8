import CKernels
import Synchronization
public import Tensors

/// What the machine gives at most: loops of nothing but reads, or nothing but products, that
/// benchmarks hold against what a model reaches with the same threads.
extension Kernels {
  /// Reads every 64-bit word of `tensor` once, on all threads.
  ///
  /// - Returns: all 64-bit words of a thread's part mixed, and the parts added.
  @discardableResult
  public func readAll(of tensor: Tensor) -> UInt64 {
    let sum = Atomic<UInt64>(0), readBytes = unsafe table.pointee.read_bytes
    unsafe tensor.withBaseAddress { base in
      nonisolated(unsafe) let bytes = unsafe base.assumingMemoryBound(to: UInt8.self)
      let byteCount = tensor.byteCount, pageCount = (byteCount - 1) / Self.pageByteCount + 1
      pool.parallelFor(count: pageCount) { pages in
        let start = pages.lowerBound * Self.pageByteCount
        let end = min(pages.upperBound * Self.pageByteCount, byteCount)
        let mixed = unsafe readBytes(bytes + start, end - start)
        sum.wrappingAdd(mixed, ordering: .relaxed)
      }
    }
    return sum.load(ordering: .relaxed)
  }

  private static let pageByteCount = 4096

  /// Multiplies and adds bytes in registers alone, on all threads, with the instructions that the
  /// products of grouped weights are made of.
  ///
  /// - Parameters:
  ///   - narrow: to 16-bit sums, which int4 weights may use, in place of 32-bit ones.
  ///   - rounds: how often, a multiple of what a thread takes at a time.
  /// - Returns: how many products were added; 0 when the instruction set has no 16-bit sums.
  public func multiplyRegisters(narrow: Bool, rounds: Int) -> Int {
    let count = Atomic<Int>(0), multiply = unsafe table.pointee.multiply_registers
    pool.parallelFor(count: rounds, grain: Self.worthwhileRounds) { range in
      count.wrappingAdd(multiply(narrow, range.count), ordering: .relaxed)
    }
    return count.load(ordering: .relaxed)
  }

  /// Rounds that are worth waking a thread for.
  private static let worthwhileRounds = 1_000
}
