public import Kernels
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the measurements were made on.
public struct Machine: Sendable {
  /// The processor as the system calls it; nil when it does not say.
  public let processorName: String?
  public let processorCount: Int
  public let threadCount: Int
  public let instructionSet: InstructionSet

  public init(_ kernels: Kernels) {
    processorName = Self.processorName()
    processorCount = ThreadPool.processorCount
    threadCount = kernels.pool.threadCount
    instructionSet = kernels.instructionSet
  }

  private static func processorName() -> String? {
    #if canImport(Glibc)
      systemField("model name", in: "/proc/cpuinfo")
    #else
      nil
    #endif
  }
}

/// The value of the first line `name: value` in a file that the system makes up; nil when there is
/// none.
func systemField(_ name: String, in path: FilePath) -> String? {
  guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }
  let bytes = try? file.closeAfter {
    // Such files have no size to ask for; what is looked for is in their first lines.
    unsafe try [UInt8](unsafeUninitializedCapacity: 1 << 14) { buffer, count in
      count = unsafe try file.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }
  let lines = String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n")
  return lines.lazy.map { $0.split(separator: ":", maxSplits: 1) }
    .first { $0.first.map(trimmed) == name }?.last.map(trimmed)
}

private func trimmed(_ text: Substring) -> String {
  String(
    text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
}
