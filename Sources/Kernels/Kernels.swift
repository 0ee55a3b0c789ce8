package import CKernels
package import Tensors

/// The computations of a model, bound to a thread pool and an instruction set.
///
/// It holds no state of a model: one per process is enough. Sizes are the caller's promise, checked
/// by preconditions; what comes from files has been checked before it gets here.
@safe public struct Kernels: Sendable {
  public let instructionSet: InstructionSet
  public let pool: ThreadPool
  package nonisolated(unsafe) let table: UnsafePointer<flare_kernels>

  /// Kernels that use `threadCount` threads, the caller's included.
  ///
  /// - Parameter instructionSet: nil for what `FLARE_ISA` names or, without it, the fastest.
  /// - Throws: `InstructionSetError` when this CPU cannot run the set or `FLARE_ISA` names none.
  public init(
    threadCount: Int = ThreadPool.coreCount, instructionSet: InstructionSet? = nil
  ) throws(InstructionSetError) {
    let chosen: InstructionSet
    if let instructionSet { chosen = instructionSet } else { chosen = try .detected }
    guard let table = unsafe flare_kernels_for(chosen.rawValue) else {
      throw InstructionSetError(unavailable: chosen)
    }
    unsafe self.table = table
    self.instructionSet = chosen
    pool = ThreadPool(threadCount: threadCount)
  }

  /// Multiply-adds that are worth waking a thread for.
  static let worthwhileWork = 32_768

  /// Rows of `cost` multiply-adds that make a range worth handing to another thread.
  static func grain(cost: Int) -> Int { max(1, worthwhileWork / max(1, cost)) }
}

extension ElementType {
  /// The name that C has for a float type; nil for all others.
  package var floatType: flare_float_type? {
    switch self {
    case .float32: FLARE_F32
    case .float16: FLARE_F16
    case .bfloat16: FLARE_BF16
    default: nil
    }
  }
}

extension ElementType {
  /// The name that C has for a type of blocks; nil for all others.
  package var blockType: flare_block_type? {
    switch self {
    case .blockQ40: FLARE_Q4_0
    case .blockQ41: FLARE_Q4_1
    case .blockQ50: FLARE_Q5_0
    case .blockQ51: FLARE_Q5_1
    case .blockQ80: FLARE_Q8_0
    case .blockQ10: FLARE_Q1_0
    case .blockQ20: FLARE_Q2_0
    case .blockQ2K: FLARE_Q2_K
    case .blockQ3K: FLARE_Q3_K
    case .blockQ4K: FLARE_Q4_K
    case .blockQ5K: FLARE_Q5_K
    case .blockQ6K: FLARE_Q6_K
    case .blockIQ4NL: FLARE_IQ4_NL
    case .blockIQ4XS: FLARE_IQ4_XS
    case .blockMXFP4: FLARE_MXFP4
    case .blockNVFP4: FLARE_NVFP4
    case .blockTQ10: FLARE_TQ1_0
    case .blockTQ20: FLARE_TQ2_0
    case .blockIQ1S: FLARE_IQ1_S
    case .blockIQ1M: FLARE_IQ1_M
    case .blockIQ2XXS: FLARE_IQ2_XXS
    case .blockIQ2XS: FLARE_IQ2_XS
    case .blockIQ2S: FLARE_IQ2_S
    case .blockIQ3XXS: FLARE_IQ3_XXS
    case .blockIQ3S: FLARE_IQ3_S
    default: nil
    }
  }
}

extension Tensor {
  /// The name that C has for the type of a float tensor.
  ///
  /// - Precondition: the tensor is one of F32, F16, BF16.
  package var floatType: flare_float_type {
    guard let type = elementType.floatType else { preconditionFailure("Not a float tensor") }
    return type
  }

  /// Calls `body` with the address of the bytes, for calls into C.
  @unsafe package func withBaseAddress<Result>(_ body: (UnsafeRawPointer) -> Result) -> Result {
    unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("Empty tensor") }
      return unsafe body(base)
    }
  }

  /// Calls `body` with the panels of a grouped matrix.
  @unsafe func withPanels<Result>(_ body: (flare_panels) -> Result) -> Result {
    guard let layout = GroupedLayout(elementType, shape: shape) else {
      preconditionFailure("Not a grouped tensor")
    }
    return unsafe withBaseAddress { base in
      unsafe body(
        flare_panels(
          bytes: base.assumingMemoryBound(to: UInt8.self), panel_size: layout.panelByteCount,
          row_count: layout.rowCount, group_count: layout.groupCount))
    }
  }
}
