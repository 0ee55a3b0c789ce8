import Dispatch
import Synchronization

/// A thread that does steps in order while the caller goes on, a few of them behind at most.
final class WriteBehind: Sendable {
  private let queue = DispatchQueue(label: "flare.write")
  private let room: DispatchSemaphore
  private let failure = Mutex<(any Error)?>(nil)

  /// - Parameter depth: steps that may wait.
  init(depth: Int = 2) { room = DispatchSemaphore(value: depth) }

  /// Hands over a step, and waits first while too many are not done.
  ///
  /// - Throws: what an earlier step threw; no step is done behind it.
  func append(_ step: @escaping @Sendable () throws -> Void) throws {
    room.wait()
    do {
      try rethrow()
    } catch {
      room.signal()
      throw error
    }
    queue.async { [self] in
      defer { room.signal() }
      guard failure.withLock({ $0 == nil }) else { return }
      do {
        try step()
      } catch {
        failure.withLock { $0 = error }
      }
    }
  }

  /// Waits until all steps are done.
  ///
  /// - Throws: what one of them threw.
  func finish() throws {
    queue.sync {}
    try rethrow()
  }

  private func rethrow() throws {
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
