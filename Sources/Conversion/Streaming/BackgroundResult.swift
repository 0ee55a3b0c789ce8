import Dispatch
import Synchronization

/// Something that is computed on another thread while the caller does other things.
final class BackgroundResult<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let done = DispatchSemaphore(value: 0)

  init(_ compute: @escaping @Sendable () throws -> Value) {
    DispatchQueue.global().async { [self] in
      let value = Result { try compute() }
      result.withLock { $0 = value }
      done.signal()
    }
  }

  /// Waits for the value.
  ///
  /// - Throws: what computing it threw.
  func value() throws -> Value {
    done.wait()
    done.signal()
    guard let result = result.withLock({ $0 }) else {
      preconditionFailure("Signalled without value")
    }
    return try result.get()
  }
}
