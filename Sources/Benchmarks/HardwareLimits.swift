public import Kernels
public import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the machine gives at most to the threads of a pool, as far as has been seen.
public struct HardwareLimits: Sendable {
  /// Bytes a second, from a buffer that no cache holds.
  public internal(set) var readBandwidth: Double = 0
  /// Multiply-adds of bytes a second, to 32-bit sums.
  public internal(set) var int8Rate: Double = 0
  /// The same to 16-bit sums, which int4 weights may use; nil where there are none.
  public internal(set) var narrowRate: Double?

  /// Multiply-adds a second that the products of a type of weights can reach; nil for floats.
  public func rate(for type: ElementType) -> Double? {
    switch type {
    case .groupedInt8, .groupedQ4K, .groupedQ5K, .groupedQ6K: int8Rate
    case .groupedInt4: narrowRate ?? int8Rate
    default: nil
    }
  }
}

/// Measures the limits of the machine, again and again between other measurements, and keeps the
/// best: others use the machine too.
public struct LimitMeter {
  public private(set) var limits = HardwareLimits()
  private let kernels: Kernels
  private let buffer: Tensor
  /// How many rounds of products take about `passSeconds`.
  private var roundCount = 1 << 12

  private static let passCount = 4
  private static let passSeconds = 0.02

  public init(with kernels: Kernels) {
    self.kernels = kernels
    // Its zeros have been written, so that every page is a page of its own.
    buffer = Tensor(shape: [Self.bufferByteCount], elementType: .uint8) { _ in }
  }

  /// Twice the last cache, as far as the system says how large that is; no machine that is shared has
  /// all of it.
  private static var bufferByteCount: Int {
    #if canImport(Glibc)
      let cache = sysconf(Int32(_SC_LEVEL3_CACHE_SIZE))
    #else
      let cache = 0
    #endif
    return min(max(2 * cache, 1 << 28), 1 << 30)
  }

  /// Measures once more.
  public mutating func measure() {
    for _ in 0..<Self.passCount {
      let reading = seconds { kernels.readAll(of: buffer) }
      limits.readBandwidth = max(limits.readBandwidth, Double(buffer.byteCount) / reading)
      limits.int8Rate = max(limits.int8Rate, rate(narrow: false))
      let narrow = rate(narrow: true)
      if narrow > 0 { limits.narrowRate = max(limits.narrowRate ?? 0, narrow) }
    }
  }

  private mutating func rate(narrow: Bool) -> Double {
    while true {
      var count = 0
      let time = seconds { count = kernels.multiplyRegisters(narrow: narrow, rounds: roundCount) }
      if count == 0 { return 0 }
      if time >= Self.passSeconds { return Double(count) / time }
      roundCount *= 2
    }
  }
}

/// How long `body` takes.
func seconds<Result: ~Copyable, Failure: Error>(
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Double {
  let start = ContinuousClock.now
  _ = try body()
  return (ContinuousClock.now - start) / .seconds(1)
}
