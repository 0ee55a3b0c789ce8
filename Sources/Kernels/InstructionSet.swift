import CKernels
public import Files

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A set of kernels, named after the instructions it needs.
///
/// Grouped weights and merged updates have the same bits in all of them; other float loops differ in
/// the order of sums.
public enum InstructionSet: String, Sendable, CaseIterable {
  /// Plain C, for any CPU.
  case generic
  /// x86-64 with AVX2, FMA and F16C.
  case avx2
  /// x86-64 with AVX2 and AVX-VNNI.
  case avxvnni
  /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI.
  case avx512
  /// 64-bit ARM with dot products.
  case neon

  /// Whether this CPU can run it.
  public var isAvailable: Bool { unsafe flare_kernels_for(rawValue) != nil }

  /// The fastest that this CPU can run.
  public static var best: InstructionSet {
    [.avx512, .avxvnni, .avx2, .neon].first { $0.isAvailable } ?? .generic
  }

  /// What the environment variable `FLARE_ISA` names, or the fastest when it is not set.
  ///
  /// - Throws: `InstructionSetError` when the variable names none or one this CPU cannot run.
  public static var detected: InstructionSet {
    get throws(InstructionSetError) {
      let value = unsafe getenv("FLARE_ISA").map { unsafe String(cString: $0) }
      return try chosen(by: value)
    }
  }

  /// The set that a value of `FLARE_ISA` asks for.
  static func chosen(by value: String?) throws(InstructionSetError) -> InstructionSet {
    guard let value, !value.isEmpty else { return best }
    guard let set = InstructionSet(rawValue: value) else {
      throw InstructionSetError(unknown: value)
    }
    guard set.isAvailable else { throw InstructionSetError(unavailable: set) }
    return set
  }
}

/// A request for kernels that do not exist or that this CPU cannot run.
public struct InstructionSetError: FlareError {
  public let description: String
  public var kind: FailureKind { .usage }

  init(unknown value: String) {
    description = "FLARE_ISA: no instruction set is called '\(value)', expected \(Self.choices)"
  }

  init(unavailable set: InstructionSet) {
    description = "instruction set: this CPU cannot run '\(set.rawValue)', expected \(Self.choices)"
  }

  private static var choices: String {
    InstructionSet.allCases.filter(\.isAvailable).map { "'\($0.rawValue)'" }
      .joined(separator: " or ")
  }
}
