#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The cores that a process may compute on.
///
/// Two hardware threads of a core share its arithmetic, which one of them can use up, and a barrier
/// waits for the slower; so a core counts once. The process's affinity mask and a container's limit
/// are honoured.
struct ProcessorCores {
  let count: Int

  /// Of this process on this machine.
  static let current = ProcessorCores(
    processors: allowedProcessors,
    siblings: {
      text(of: "/sys/devices/system/cpu/cpu\($0)/topology/thread_siblings_list")
    }, quota: text(of: "/sys/fs/cgroup/cpu.max"))

  /// - Parameters:
  ///   - processors: the hardware threads that may be used; at least one.
  ///   - siblings: what names the threads of a processor's core, the same for each; nil when unknown.
  ///   - quota: `cpu.max` of a control group: microseconds, or `max`, and the period they are of.
  init(processors: [Int], siblings: (Int) -> String?, quota: String?) {
    let cores = Set(processors.map { siblings($0) ?? "\($0)" })
    let parts = (quota ?? "").split { $0.isWhitespace }.map { Int($0) }
    var limit = Int.max
    if parts.count == 2, let time = parts[0], let period = parts[1], time > 0, period > 0 {
      limit = (time - 1) / period + 1
    }
    count = max(1, min(cores.count, limit))
  }

  private static var allowedProcessors: [Int] {
    #if canImport(Darwin)
      var count: Int32 = 1
      var size = MemoryLayout<Int32>.size
      _ = unsafe sysctlbyname("hw.physicalcpu", &count, &size, nil, 0)
      return Array(0..<max(1, Int(count)))
    #else
      let allowed = text(of: "/proc/self/status", after: "Cpus_allowed_list:").map(numbers) ?? []
      return allowed.isEmpty ? Array(0..<ThreadPool.processorCount) : allowed
    #endif
  }

  /// The numbers of a list as the kernel writes it: `0-3,8`.
  static func numbers(in list: String) -> [Int] {
    list.split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-").compactMap { Int($0.filter { !$0.isWhitespace }) }
      guard let first = ends.first, let last = ends.last, first <= last else { return [] }
      return Array(first...last)
    }
  }

  /// The first line of a file of the kernel's that begins with `prefix`, without it.
  private static func text(of path: String, after prefix: String = "") -> String? {
    guard let file = unsafe fopen(path, "r") else { return nil }
    defer { unsafe fclose(file) }
    var buffer = [CChar](repeating: 0, count: 4096)
    while unsafe fgets(&buffer, Int32(buffer.count), file) != nil {
      let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      let line = String(decoding: bytes, as: UTF8.self)
      if line.hasPrefix(prefix) { return String(line.dropFirst(prefix.count)) }
    }
    return nil
  }
}
