/// A line on the terminal that says how far a slow thing is: share, amount, rate, time left.
///
/// It appears only when standard error is a terminal and the work takes over two seconds, and
/// wipes itself away at the end.
final class ProgressBar {
  private let title: String
  private let total: Int
  private let unit: Unit
  private let start = ContinuousClock.now
  private var lastDrawn: ContinuousClock.Instant?
  private var done = 0
  /// What was done before the start, which says nothing of the speed.
  private var doneBefore = 0

  enum Unit {
    case bytes
    case items
  }

  private static let delay: Duration = .seconds(2)
  private static let interval: Duration = .milliseconds(100)

  init(_ title: String, total: Int, unit: Unit) {
    self.title = title
    self.total = max(total, 1)
    self.unit = unit
  }

  /// Moves the bar on.
  ///
  /// - Parameter note: what else there is to say.
  func advance(by count: Int, note: @autoclosure () -> String = "") {
    done += count
    let now = ContinuousClock.now
    guard standardError.isTerminal, now - start > Self.delay,
      lastDrawn.map({ now - $0 > Self.interval }) ?? true
    else { return }
    lastDrawn = now
    draw(elapsed: (now - start).seconds, note())
  }

  /// Counts what was done before the start.
  func skip(_ count: Int) {
    done += count
    doneBefore += count
  }

  /// Does the work, and wipes the bar away at its end, also when it fails.
  func during<Result>(_ work: () throws -> Result) rethrows -> Result {
    defer { clear() }
    return try work()
  }

  /// Wipes the bar away, so that something else can be written; it comes back when it moves on.
  func clear() {
    guard lastDrawn != nil else { return }
    standardError.write("\r\u{1B}[K")
    lastDrawn = nil
  }

  private func draw(elapsed: Double, _ note: String) {
    let share = min(Double(done) / Double(total), 1)
    let rate = Double(done - doneBefore) / elapsed
    let left = rate > 0 ? Double(total - done) / rate : 0
    let amount =
      switch unit {
      case .bytes: "\(byteText(done)) of \(byteText(total)), \(byteText(Int(rate)))/s"
      case .items: "\(done) of \(total)"
      }
    let details = [amount, note, "\(durationText(left)) left"].filter { !$0.isEmpty }
    let text = "\(title) \(Int(share * 100)) %  \(details.joined(separator: ", "))"
    let barWidth = min(30, standardError.width - text.count - 4)
    var bar = ""
    if barWidth >= 8 {
      let filled = Int(share * Double(barWidth))
      bar =
        String(repeating: "█", count: filled)
        + String(repeating: "░", count: barWidth - filled) + " "
    }
    standardError.write("\r\u{1B}[K\(bar)\(text)")
  }
}
