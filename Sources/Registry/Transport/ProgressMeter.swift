import Synchronization

/// Turns positions in one blob into steps, backwards too when bytes are moved again.
final class ProgressMeter: Sendable {
  private let position = Mutex(0)
  private let progress: TransferProgress?

  init(_ progress: TransferProgress?) { self.progress = progress }

  func move(to newPosition: Int) {
    let step = position.withLock { position in
      defer { position = newPosition }
      return newPosition - position
    }
    if step != 0 { progress?(.moved(byteCount: step)) }
  }
}
