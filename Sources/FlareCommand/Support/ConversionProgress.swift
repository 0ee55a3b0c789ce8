import ArgumentParser
import Conversion
import JSON

/// How a conversion tells how far it is.
enum ProgressArgument: String, ExpressibleByArgument, CaseIterable {
  /// A bar, when standard error is a terminal and the work takes a while.
  case auto
  /// A line of JSON on standard error twice a second, and one at the end.
  case json
  case none
}

/// Says how far a conversion is, in the way that was asked for.
final class ConversionProgress {
  private let bar: ProgressBar?
  private let lines: ProgressLines?

  init(_ argument: ProgressArgument, total: Int) {
    bar = argument == .auto ? ProgressBar("Writing", total: total, unit: .bytes) : nil
    lines = argument == .json ? ProgressLines(total: total) : nil
  }

  func advance(_ step: ConversionStep) {
    if step.tensor.isEmpty { bar?.skip(step.byteCount) }
    bar?.advance(by: step.tensor.isEmpty ? 0 : step.byteCount, note: step.tensor)
    lines?.advance(step)
  }

  /// Does the work, and ends what was said about it.
  func during(_ work: () throws -> Void) rethrows {
    defer { bar?.clear() }
    try work()
    lines?.finish()
  }
}

/// Progress for programs: one JSON object a line.
private final class ProgressLines {
  private let total: Int
  private let start = ContinuousClock.now
  private var last: ContinuousClock.Instant?
  private var done = 0
  /// What an earlier run had done, which says nothing of this one's speed.
  private var doneBefore = 0

  private static let interval: Duration = .milliseconds(500)

  init(total: Int) { self.total = total }

  func advance(_ step: ConversionStep) {
    done += step.byteCount
    if step.tensor.isEmpty { doneBefore += step.byteCount }
    let now = ContinuousClock.now
    guard last.map({ now - $0 > Self.interval }) ?? true else { return }
    last = now
    write(step.tensor, now)
  }

  func finish() { write("", .now) }

  private func write(_ tensor: String, _ now: ContinuousClock.Instant) {
    let seconds = (now - start).seconds
    let rate = seconds > 0 ? Double(done - doneBefore) / seconds : 0
    var line: JSONObject = [
      "bytes": .integer(done), "total": .integer(total), "seconds": .number(seconds),
      "bytes_per_second": .number(rate),
    ]
    if !tensor.isEmpty { line["tensor"] = .string(tensor) }
    if rate > 0 { line["seconds_left"] = .number(Double(max(total - done, 0)) / rate) }
    standardError.write(JSONValue.object(line).serialized() + "\n")
  }
}
