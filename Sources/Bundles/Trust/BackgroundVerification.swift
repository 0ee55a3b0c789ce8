import Dispatch
import Synchronization

/// A check of all pieces of a bundle's weights that goes on beside the work with them.
///
///     let check = BackgroundVerification(of: pieces) { error in … }
///     …                    // run the model
///     try check.finish()   // before its results are relied on
public final class BackgroundVerification: Sendable {
  private let isCancelled = Atomic(false)
  private let failure = Mutex<(any Error)?>(nil)
  private let group = DispatchGroup()

  /// Starts the check.
  ///
  /// - Parameter whenDamaged: called once, on the thread that checks, when a piece is wrong or cannot
  ///   be read.
  public init(
    of pieces: VerifiedPieces, whenDamaged: @escaping @Sendable (any Error) -> Void = { _ in }
  ) {
    DispatchQueue(label: "flare.verify", qos: .utility).async(group: group) { [self] in
      do {
        try pieces.checkAll { !isCancelled.load(ordering: .relaxed) }
      } catch {
        failure.withLock { $0 = error }
        whenDamaged(error)
      }
    }
  }

  /// Ends the check after the piece in hand.
  public func cancel() { isCancelled.store(true, ordering: .relaxed) }

  /// Waits until all pieces are checked, or the check was cancelled.
  ///
  /// - Throws: what was wrong.
  public func finish() throws {
    group.wait()
    if let error = failure.withLock({ $0 }) { throw error }
  }
}
