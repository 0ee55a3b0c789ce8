#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How a conversation looks: colours on a terminal, unless `NO_COLOR` is set.
struct ChatStyle {
  private let hasColors: Bool

  init() {
    let noColor = unsafe getenv("NO_COLOR").map { unsafe $0.pointee != 0 } ?? false
    hasColors = standardError.isTerminal && !noColor
  }

  func prompt(_ text: String) -> String { colored(text, "1;32") }
  func note(_ text: String) -> String { colored(text, "2") }

  private func colored(_ text: String, _ code: String) -> String {
    hasColors ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
