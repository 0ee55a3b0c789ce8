import Registry
import Synchronization

/// A progress bar for what goes to a registry or comes from it, from whatever thread it is told.
final class TransferBar: Sendable {
  private let title: String
  /// None until the sizes are known.
  private let bar = Mutex<ProgressBar?>(nil)

  init(_ title: String) { self.title = title }

  func report(_ event: TransferEvent) {
    bar.withLock { bar in
      switch event {
      case .started(let byteCount):
        bar = ProgressBar(title, total: byteCount, unit: .bytes)
      case .moved(let byteCount):
        bar?.advance(by: byteCount)
      case .skipped(_, let byteCount):
        bar?.skip(byteCount)
      case .retrying(let error, let delay):
        bar?.clear()
        standardError.write(
          "flare: \(printable("\(error)")). Once more in \(durationText(delay.seconds))\n")
      }
    }
  }

  /// Wipes the bar away.
  func clear() { bar.withLock { $0?.clear() } }
}
