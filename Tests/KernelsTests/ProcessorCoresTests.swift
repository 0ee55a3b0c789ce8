import Testing

@testable import Kernels

struct ProcessorCoresTests {
  /// Four cores of two threads each: 0 and 4 are one, and so on.
  private func count(_ processors: [Int], quota: String? = nil) -> Int {
    ProcessorCores(
      processors: processors, siblings: { "\($0 % 4),\($0 % 4 + 4)\n" }, quota: quota
    ).count
  }

  @Test func `two threads of a core are one core`() {
    #expect(count(Array(0..<8)) == 4)
    #expect(count([0, 4]) == 1)
    #expect(count([0, 1, 5]) == 2)
  }

  @Test func `without a topology each processor is a core`() {
    #expect(ProcessorCores(processors: [0, 3, 9], siblings: { _ in nil }, quota: nil).count == 3)
  }

  @Test(arguments: [
    ("max 100000\n", 4), ("200000 100000\n", 2), ("150000 100000\n", 2), ("1000 100000\n", 1),
    ("900000 100000\n", 4), ("", 4), ("nonsense", 4), ("0 0", 4), ("-1 100000", 4),
  ])
  func `the limit of a container bounds the cores`(quota: String, expected: Int) {
    #expect(count(Array(0..<8), quota: quota) == expected)
  }

  @Test(arguments: [
    ("\t0-3,8\n", [0, 1, 2, 3, 8]), ("5", [5]), ("2-2,7-8", [2, 7, 8]), ("", []), ("x,3-1", []),
  ])
  func `a list of processors is read as the kernel writes it`(list: String, expected: [Int]) {
    #expect(ProcessorCores.numbers(in: list) == expected)
  }

  @Test func `this process has one at least`() {
    #expect(1...ThreadPool.processorCount ~= ThreadPool.coreCount)
  }
}
