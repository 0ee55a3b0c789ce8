import SystemPackage

/// What a line that begins with a slash asks for.
enum ChatDirective {
  case help
  case system(String)
  case clear
  case undo
  case retry
  case save(FilePath)
  case load(FilePath)
  case stats
  case exit

  static let list = """
    /help           this list
    /system TEXT    what the model is told before the conversation; without a text, show it
    /clear          forget the conversation, all but the system text
    /undo           take back the last question and its answer
    /retry          answer the last question again
    /save FILE      write the messages as JSON; a file of the name is replaced
    /load FILE      go on with the messages of a JSON file
    /stats          how many tokens the conversation has, and how fast the last answer came
    /exit           leave, as Ctrl-D does
    //TEXT          say a text that begins with a slash
    A line that ends with a backslash goes on; \"\"\" begins and ends several lines. Ctrl-C stops an \
    answer and leaves at the prompt.

    """

  /// - Returns: nil for what is no directive of these.
  init?(_ line: String) {
    let parts = line.dropFirst().split(separator: " ", maxSplits: 1)
    let argument = parts.count > 1 ? parts[1].trimmed : ""
    let path = FilePath(argument)
    switch (parts.first, argument.isEmpty) {
    case ("help", _): self = .help
    case ("system", _): self = .system(argument)
    case ("clear", true): self = .clear
    case ("undo", true): self = .undo
    case ("retry", true): self = .retry
    case ("save", false): self = .save(path)
    case ("load", false): self = .load(path)
    case ("stats", true), ("tokens", true): self = .stats
    case ("exit", true), ("quit", true): self = .exit
    default: return nil
    }
  }
}

extension Substring {
  fileprivate var trimmed: String {
    String(String(drop(while: \.isWhitespace)).reversed().drop(while: \.isWhitespace).reversed())
  }
}
