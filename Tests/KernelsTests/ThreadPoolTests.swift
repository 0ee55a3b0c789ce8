import Kernels
import Synchronization
import Testing

@Suite struct `A thread pool` {
  @Test(arguments: [1, 2, 3, 8])
  func `covers every index once, whatever the grain`(threads: Int) {
    let pool = ThreadPool(threadCount: threads)
    for count in [0, 1, 2, 7, 100, 1001] {
      for grain in [1, 3, 64, 5000] {
        let visits = Mutex(Array(repeating: 0, count: count))
        pool.parallelFor(count: count, grain: grain) { range in
          visits.withLock { visits in for i in range { visits[i] += 1 } }
        }
        #expect(visits.withLock { $0.allSatisfy { $0 == 1 } }, "\(count) by \(grain)")
      }
    }
  }

  @Test func `survives many short loops in a row and between sleeps`() async throws {
    let pool = ThreadPool(threadCount: 3)
    let total = Atomic<Int>(0)
    for _ in 0..<20 {
      for _ in 0..<1_000 {
        pool.parallelFor(count: 10) { total.wrappingAdd($0.count, ordering: .relaxed) }
      }
      try await Task.sleep(for: .milliseconds(2))  // long enough for the threads to go to sleep
    }
    #expect(total.load(ordering: .relaxed) == 20 * 1_000 * 10)
  }

  @Test func `runs a loop inside a loop on the thread that meets it`() {
    let pool = ThreadPool(threadCount: 2)
    let total = Atomic<Int>(0)
    pool.parallelFor(count: 8) { outer in
      for _ in outer {
        pool.parallelFor(count: 5) { total.wrappingAdd($0.count, ordering: .relaxed) }
      }
    }
    #expect(total.load(ordering: .relaxed) == 40)
  }

  @Test func `serves callers from several threads at a time`() async {
    let pool = ThreadPool(threadCount: 2)
    let totals = await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          let total = Atomic<Int>(0)
          for _ in 0..<500 {
            pool.parallelFor(count: 16) { total.wrappingAdd($0.count, ordering: .relaxed) }
          }
          return total.load(ordering: .relaxed)
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(totals == Array(repeating: 500 * 16, count: 4))
  }

  @Test func `ends its threads when it goes`() {
    for _ in 0..<50 {
      let pool = ThreadPool(threadCount: 4)
      pool.parallelFor(count: 4) { _ in }
    }
  }

  @Test func `shares work between threads`() async {
    // Each range waits for the other: one thread alone would never finish.
    let pool = ThreadPool(threadCount: 2)
    let arrived = Atomic<Int>(0)
    pool.parallelFor(count: 2) { _ in
      arrived.wrappingAdd(1, ordering: .sequentiallyConsistent)
      while arrived.load(ordering: .sequentiallyConsistent) < 2 {}
    }
    #expect(arrived.load(ordering: .relaxed) == 2)
  }
}
