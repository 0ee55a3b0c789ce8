import CKernels
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Threads made once that share the ranges of a loop with the thread that calls.
///
/// Layers follow each other within microseconds, so an idle thread first spins for a moment and
/// only then sleeps. The caller never waits for a thread that has not begun: it closes the loop when
/// no range is left and waits for those inside.
public final class ThreadPool: Sendable {
  /// Threads that work on a loop, the caller included.
  public let threadCount: Int
  private let loop = SharedLoop()
  private let workers: [Worker]

  public init(threadCount: Int) {
    precondition(threadCount > 0, "Thread count out of bounds")
    self.threadCount = threadCount
    let loop = self.loop
    workers = (1..<threadCount).map { _ in Worker(serving: loop) }
  }

  deinit {
    loop.stop()
    for worker in workers { worker.join() }
  }

  /// Processors that are online, whether this process may use them or not.
  public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Physical cores that this process may use, by its affinity mask and its container's limit.
  public static var coreCount: Int { ProcessorCores.current.count }

  /// Calls `body` with ranges that cover 0..<count once, on several threads.
  ///
  /// Ranges have at least `grain` indices (the last may have fewer), and several times as many
  /// ranges as threads are made when there is enough to do, so that a thread that is held up costs
  /// little. A loop inside a loop, or one that comes while another thread uses the pool, runs on the
  /// calling thread alone.
  public func parallelFor(
    count: Int, grain: Int = 1, _ body: @Sendable (Range<Int>) -> Void
  ) {
    precondition(count >= 0 && grain > 0, "Count out of bounds")
    if count == 0 { return }
    if threadCount == 1 || count <= grain || !loop.claim() { return body(0..<count) }
    let share = (count + 4 * threadCount - 1) / (4 * threadCount)
    // The body does not outlive the call: `run` returns when every thread has left the loop.
    withoutActuallyEscaping(body) { body in
      loop.run(count: count, step: max(grain, share), body)
    }
    loop.release()
  }
}

/// The one loop that the threads of a pool are working on.
///
/// `gate` holds the number of the loop in its upper half, then whether it is open, then how many
/// workers are inside. A worker enters an open loop by adding one to it; the fields of the loop are
/// written only while the gate is closed and empty.
private final class SharedLoop: Sendable {
  private static let open: UInt64 = 1 << 31
  private static let insideMask: UInt64 = open - 1
  /// Looks at the gate before sleeping: some tens of microseconds.
  private static let spinCount = 2_000

  private let gate = Atomic<UInt64>(0)
  private let isClaimed = Atomic<Bool>(false)
  private let isStopping = Atomic<Bool>(false)
  private let next = Atomic<Int>(0)
  private let sleeperCount = Atomic<Int>(0)
  private let doorbell = Doorbell()

  private nonisolated(unsafe) var count = 0
  private nonisolated(unsafe) var step = 1
  private nonisolated(unsafe) var body: (@Sendable (Range<Int>) -> Void)?

  /// Takes the pool for one loop; false when it is taken.
  func claim() -> Bool {
    isClaimed.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
  }

  func release() { isClaimed.store(false, ordering: .releasing) }

  /// Runs a loop on the calling thread and on all workers that arrive in time.
  func run(count: Int, step: Int, _ body: @escaping @Sendable (Range<Int>) -> Void) {
    unsafe self.count = count
    unsafe self.step = step
    unsafe self.body = body
    next.store(0, ordering: .relaxed)
    let number = (gate.load(ordering: .relaxed) >> 32) &+ 1
    gate.store(number << 32 | Self.open, ordering: .sequentiallyConsistent)
    if sleeperCount.load(ordering: .sequentiallyConsistent) > 0 { doorbell.ring() }

    takeRanges()

    gate.bitwiseAnd(~Self.open, ordering: .acquiringAndReleasing)
    var looks = 0
    while gate.load(ordering: .acquiring) & Self.insideMask > 0 {
      looks += 1
      // A worker that is still inside after this long has lost its processor to someone.
      if looks < Self.spinCount { flare_pause() } else { sched_yield() }
    }
    unsafe self.body = nil
  }

  private func takeRanges() {
    guard let body = unsafe body else { return }
    let count = unsafe count, step = unsafe step
    while true {
      let start = next.wrappingAdd(step, ordering: .relaxed).oldValue
      if start >= count { return }
      body(start..<min(start + step, count))
    }
  }

  /// What a worker does all its life.
  func serve() {
    var lastNumber: UInt64 = 0
    while true {
      waitForLoop(after: lastNumber)
      if isStopping.load(ordering: .acquiring) { return }
      var state = gate.load(ordering: .relaxed)
      while state & Self.open != 0 {
        let (entered, seen) = gate.weakCompareExchange(
          expected: state, desired: state + 1, successOrdering: .acquiring,
          failureOrdering: .relaxed)
        if entered {
          takeRanges()
          gate.wrappingSubtract(1, ordering: .releasing)
          break
        }
        state = seen
      }
      lastNumber = state >> 32
    }
  }

  /// Returns when a loop of another number has been opened, or the pool stops.
  private func waitForLoop(after lastNumber: UInt64) {
    for _ in 0..<Self.spinCount {
      if hasNews(after: lastNumber) { return }
      flare_pause()
    }
    // The count is raised before the last look, and read after the gate is opened: one of the two
    // threads sees the other.
    sleeperCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
    doorbell.wait { hasNews(after: lastNumber) }
    sleeperCount.wrappingSubtract(1, ordering: .sequentiallyConsistent)
  }

  private func hasNews(after lastNumber: UInt64) -> Bool {
    gate.load(ordering: .sequentiallyConsistent) >> 32 != lastNumber
      || isStopping.load(ordering: .sequentiallyConsistent)
  }

  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    doorbell.ring()
  }
}

/// A condition variable: where idle threads sleep.
@safe private final class Doorbell: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  func ring() {
    unsafe pthread_mutex_lock(mutex)
    unsafe pthread_cond_broadcast(condition)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Sleeps until `isDone`, which is asked after each ring.
  func wait(until isDone: () -> Bool) {
    unsafe pthread_mutex_lock(mutex)
    while !isDone() { unsafe pthread_cond_wait(condition, mutex) }
    unsafe pthread_mutex_unlock(mutex)
  }
}

/// One thread of a pool.
@safe private final class Worker: @unchecked Sendable {
  private let thread: pthread_t

  init(serving loop: SharedLoop) {
    let context = unsafe Unmanaged.passRetained(loop).toOpaque()
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let status = unsafe pthread_create(
      &thread, nil,
      { context in
        #if canImport(Darwin)
          unsafe Unmanaged<SharedLoop>.fromOpaque(context).takeRetainedValue().serve()
        #else
          if let context = unsafe context {
            unsafe Unmanaged<SharedLoop>.fromOpaque(context).takeRetainedValue().serve()
          }
        #endif
        return nil
      }, context)
    guard status == 0 else { fatalError("Thread could not be made: error \(status)") }
    #if canImport(Darwin)
      guard let thread = unsafe thread else { fatalError("Thread could not be made") }
      unsafe self.thread = thread
    #else
      self.thread = thread
    #endif
  }

  func join() { pthread_join(thread, nil) }
}
