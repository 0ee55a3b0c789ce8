import Registry
import Synchronization

/// A progress bar for what goes to a registry or comes from it, from whatever thread it is told.
final class TransferBar: Sendable {
  private struct State {
    var bar: ProgressBar?
    var movedByteCount = 0
  }

  private let title: String
  private let state = Mutex(State())

  init(_ title: String) { self.title = title }

  /// The bytes that were moved, less those that were moved in vain.
  var movedByteCount: Int { state.withLock { $0.movedByteCount } }

  func report(_ event: TransferEvent) {
    state.withLock { state in
      switch event {
      case .started(let byteCount):
        state.bar = ProgressBar(title, total: byteCount, unit: .bytes)
      case .moved(let byteCount):
        state.movedByteCount += byteCount
        state.bar?.advance(by: byteCount)
      case .skipped(_, let byteCount):
        state.bar?.skip(byteCount)
      case .retrying(let error, let delay):
        state.bar?.clear()
        standardError.write(
          "flare: \(printable("\(error)")). Once more in \(durationText(delay.seconds))\n")
      }
    }
  }

  /// Wipes the bar away.
  func clear() { state.withLock { $0.bar?.clear() } }
}
