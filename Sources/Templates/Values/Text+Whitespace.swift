extension Unicode.Scalar {
  /// What Python's `str.isspace` says.
  var isPythonSpace: Bool {
    properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(self)
  }

  /// Where Python's `str.splitlines` ends a line.
  var isPythonLineEnd: Bool {
    switch self {
    case "\n", "\r", "\u{B}", "\u{C}", "\u{1C}"..."\u{1E}", "\u{85}", "\u{2028}", "\u{2029}": true
    default: false
    }
  }
}

extension Text {
  struct Sides: OptionSet {
    let rawValue: Int
    static let left = Sides(rawValue: 1)
    static let right = Sides(rawValue: 2)
    static let both: Sides = [.left, .right]
  }

  /// The text without white space, or without any of `characters`, at its ends.
  func trimmed(_ sides: Sides = .both, of characters: Text? = nil) -> Text {
    let set = characters.map { Set($0.scalars) }
    func isDropped(_ scalar: Unicode.Scalar) -> Bool {
      set?.contains(scalar) ?? scalar.isPythonSpace
    }
    var rest = scalars[...]
    if sides.contains(.left) { rest = rest.drop(while: isDropped) }
    if sides.contains(.right), let last = rest.lastIndex(where: { !isDropped($0) }) {
      rest = rest[...last]
    } else if sides.contains(.right) {
      rest = []
    }
    return Text(rest)
  }

  /// The words between white space.
  ///
  /// - Parameter limit: how often to split at most; what is left keeps its white space.
  func words(limit: Int?) -> [Text] {
    var words: [Text] = []
    var rest = trimmed(.left)
    while !rest.isEmpty {
      guard words.count < limit ?? .max else { return words + [rest] }
      let end = rest.scalars.firstIndex(where: \.isPythonSpace) ?? rest.count
      words.append(rest[0..<end])
      rest = rest[end..<rest.count].trimmed(.left)
    }
    return words
  }

  /// As `words`, split from the end.
  func wordsFromEnd(limit: Int?) -> [Text] {
    var words: [Text] = []
    var rest = trimmed(.right)
    while !rest.isEmpty {
      guard words.count < limit ?? .max else { return [rest] + words.reversed() }
      let start = rest.scalars.lastIndex(where: \.isPythonSpace).map { $0 + 1 } ?? 0
      words.append(rest[start..<rest.count])
      rest = rest[0..<start].trimmed(.right)
    }
    return words.reversed()
  }

  /// The lines, without an empty one behind the last line end.
  func lines(keepingEnds: Bool = false) -> [Text] {
    var lines: [Text] = []
    var start = 0
    while start < count {
      guard let end = scalars[start...].firstIndex(where: \.isPythonLineEnd) else {
        lines.append(self[start..<count])
        break
      }
      let isPair = scalars[end] == "\r" && end + 1 < count && scalars[end + 1] == "\n"
      let next = end + (isPair ? 2 : 1)
      lines.append(self[start..<(keepingEnds ? next : end)])
      start = next
    }
    return lines
  }
}
