/// Reads what is said in a conversation, turn by turn.
struct ChatInput {
  /// Whether someone sits at a terminal and is shown a prompt.
  let isInteractive: Bool
  let style: ChatStyle

  private static let quotes = #"""""#

  /// The next turn; nil at the end of the input.
  ///
  /// A turn is a line. A backslash at its end goes on to the next, and three quotes around it hold
  /// any number of lines.
  func next() -> String? {
    guard var text = line("> ") else { return nil }
    let start = text.drop(while: \.isWhitespace)
    guard !start.hasPrefix(Self.quotes) else { return quoted(String(start.dropFirst(3))) }
    while text.hasSuffix("\\") {
      text.removeLast()
      guard let more = line(". ") else { return text }
      text += "\n" + more
    }
    return text
  }

  /// Lines up to the closing quotes, or to the end of the input.
  private func quoted(_ first: String) -> String {
    var lines: [String] = []
    var current: String? = first
    while let text = current {
      if let end = text.range(of: Self.quotes, atEndOf: text) {
        lines.append(String(text[..<end]))
        break
      }
      lines.append(text)
      current = line(". ")
    }
    // Quotes on lines of their own are no lines of the text.
    if lines.first == "" { lines.removeFirst() }
    if lines.last == "" { lines.removeLast() }
    return lines.joined(separator: "\n")
  }

  private func line(_ prompt: String) -> String? {
    while true {
      if isInteractive { standardError.write(style.prompt(prompt)) }
      guard let line = readLine() else { return nil }
      guard isInteractive, line.utf8.count >= Self.terminalLineByteCount else { return line }
      standardError.write(
        "flare: the terminal cuts lines at \(Self.terminalLineByteCount) bytes, so nothing was sent. "
          + "Say it in several lines between \(Self.quotes), or with /load\n")
    }
  }

  /// The longest line that a terminal gives in one piece; what is beyond is lost without a word.
  private static let terminalLineByteCount = 4095
}

extension String {
  /// Where `suffix` begins when the text ends with it, white space behind it aside.
  fileprivate func range(of suffix: String, atEndOf text: String) -> String.Index? {
    guard let last = text.lastIndex(where: { !$0.isWhitespace }) else { return nil }
    let trimmed = text[...last]
    guard trimmed.hasSuffix(suffix) else { return nil }
    return trimmed.index(trimmed.endIndex, offsetBy: -suffix.count)
  }
}
