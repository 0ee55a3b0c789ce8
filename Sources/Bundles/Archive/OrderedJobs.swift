import Dispatch
import Synchronization

/// Does jobs on other threads and hands their results out in the order in which they were given.
///
/// Nothing here bounds how many jobs are waiting: whoever gives them takes a result whenever
/// `isFull`, which keeps a few for each thread.
final class OrderedJobs<Result: Sendable> {
  /// Enough that no thread runs dry while the results of a slow one are waited for.
  private static var jobsPerWorker: Int { 3 }

  /// One thread each; jobs go round.
  private let workers: [DispatchQueue]
  private var jobs: [Job] = []
  private var nextWorker = 0

  init(workerCount: Int) {
    workers = (0..<max(1, workerCount)).map { DispatchQueue(label: "flare.archive.\($0)") }
  }

  /// Waits for what is still running, which may use what its owner is about to give up.
  deinit {
    for job in jobs { _ = job.wait() }
  }

  var isFull: Bool { jobs.count >= workers.count * Self.jobsPerWorker }

  func add(_ body: @escaping @Sendable () -> Result) {
    let job = Job()
    workers[nextWorker].async { job.finish(body()) }
    nextWorker = (nextWorker + 1) % workers.count
    jobs.append(job)
  }

  /// Waits for the oldest job and gives its result; nil when there is none.
  func next() -> Result? {
    guard !jobs.isEmpty else { return nil }
    return jobs.removeFirst().wait()
  }

  private final class Job: Sendable {
    private let result = Mutex<Result?>(nil)
    private let isDone = DispatchSemaphore(value: 0)

    func finish(_ value: Result) {
      result.withLock { $0 = value }
      isDone.signal()
    }

    func wait() -> Result? {
      isDone.wait()
      return result.withLock { $0 }
    }
  }
}
