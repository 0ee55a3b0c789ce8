import Synchronization

/// What an interrupt stops in place of the process.
final class StoppableTask: Sendable {
  static let shared = StoppableTask()

  private enum State { case idle, running, stopping }
  private let state = Mutex(State.idle)

  /// Runs `body`, which asks `isStopping` whether to end early.
  func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    state.withLock { $0 = .running }
    defer { state.withLock { $0 = .idle } }
    return try body()
  }

  var isStopping: Bool { state.withLock { $0 == .stopping } }

  /// Asks the task to stop.
  ///
  /// - Returns: false when there is none, or it has been asked before.
  func stop() -> Bool {
    state.withLock { state in
      guard state == .running else { return false }
      state = .stopping
      return true
    }
  }
}
