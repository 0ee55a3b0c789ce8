/// How often and how patiently a failed request is made again.
public struct RetryPolicy: Sendable, Hashable {
  /// Attempts without progress, the first one counted.
  public var maximumAttempts = 5
  /// The pause after the first failure; each further one doubles it.
  public var firstDelay: Duration = .milliseconds(500)
  public var maximumDelay: Duration = .seconds(30)
  /// The longest pause that a server may ask for; one that asks for more is not waited for.
  public var maximumServerDelay: Duration = .seconds(120)

  public init() {}

  /// The pause after failure number `count`, between a half and the whole of the doubled delay so
  /// that many clients do not come back at once; nil when there is to be no further attempt.
  func delay(afterFailure count: Int, askedFor: Duration?) -> Duration? {
    guard count < maximumAttempts else { return nil }
    if let askedFor { return askedFor <= maximumServerDelay ? askedFor : nil }
    let doubled = min(firstDelay * (1 << min(count - 1, 20)), maximumDelay)
    return doubled * Double.random(in: 0.5...1)
  }
}

/// A failure after which the same request may succeed.
struct Interruption: Error {
  let error: RegistryError
  /// How long the server wants to be left alone.
  var delay: Duration?
  /// Whether something was moved that need not be moved again; the count of failures then restarts.
  var madeProgress = false
}

extension RetryPolicy {
  /// Runs `operation` until it succeeds, fails for good, or was interrupted too often.
  ///
  /// - Parameter report: told why there will be another attempt and after what pause.
  func run<Result>(
    reporting report: (RegistryError, Duration) -> Void, _ operation: () async throws -> Result
  ) async throws -> Result {
    var failureCount = 0
    while true {
      do {
        return try await operation()
      } catch let interruption as Interruption {
        failureCount = interruption.madeProgress ? 1 : failureCount + 1
        guard let delay = delay(afterFailure: failureCount, askedFor: interruption.delay) else {
          throw interruption.error
        }
        report(interruption.error, delay)
        try await Task.sleep(for: delay)
      }
    }
  }
}
