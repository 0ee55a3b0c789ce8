/// Cuts text at the added tokens in it: the leftmost first, the longest of those that begin there.
///
/// The contents form a trie over bytes. Searching takes time proportional to the text times the
/// length of the longest token.
struct AddedTokenMatcher: Sendable {
  /// A stretch of the text: an added token, or text between two of them.
  struct Part {
    let range: Range<Int>
    let token: AddedToken?
  }

  private var trie = ByteTrie()
  /// The tokens, at the places that are their values in the trie.
  private var tokens: [AddedToken] = []

  /// - Parameter contents: what is looked for, and as which token; of two that are equal the first
  ///   counts.
  init(_ contents: [(bytes: [UInt8], token: AddedToken)]) {
    for (bytes, token) in contents where !bytes.isEmpty {
      if trie.insert(bytes, value: Int32(tokens.count)) { tokens.append(token) }
    }
  }

  /// The parts of `text`, in order; empty text has none.
  func parts(of text: Span<UInt8>) -> [Part] {
    var parts: [Part] = []
    var end = 0
    var position = 0
    while let (match, token) = nextMatch(in: text, from: position) {
      position = match.upperBound
      if token.isSingleWord, !Self.standsAlone(match, in: text) { continue }
      var range = match
      if token.stripsLeft {
        // The token before may have taken the same white space, and this token with it.
        if match.upperBound <= end { continue }
        range = max(Self.spacesStart(before: range.lowerBound, in: text), end)..<range.upperBound
      }
      if token.stripsRight {
        range = range.lowerBound..<text.whitespaceRun(from: range.upperBound).end
      }
      if end < range.lowerBound { parts.append(Part(range: end..<range.lowerBound, token: nil)) }
      parts.append(Part(range: range, token: token))
      end = range.upperBound
    }
    if end < text.count { parts.append(Part(range: end..<text.count, token: nil)) }
    return parts
  }

  private func nextMatch(
    in text: Span<UInt8>, from start: Int
  ) -> (range: Range<Int>, token: AddedToken)? {
    if tokens.isEmpty { return nil }
    var position = start
    while position < text.count {
      if let match = trie.longestMatch(in: text, at: position) {
        return (position..<match.end, tokens[Int(match.value)])
      }
      position += 1
    }
    return nil
  }

  private static func standsAlone(_ match: Range<Int>, in text: Span<UInt8>) -> Bool {
    if match.lowerBound > 0, text.scalar(endingAt: match.lowerBound).scalar.isWordCharacter {
      return false
    }
    return match.upperBound == text.count
      || !text.scalar(at: match.upperBound).scalar.isWordCharacter
  }

  private static func spacesStart(before end: Int, in text: Span<UInt8>) -> Int {
    var start = end
    while start > 0 {
      let (scalar, width) = text.scalar(endingAt: start)
      guard scalar.properties.isWhitespace else { break }
      start -= width
    }
    return start
  }
}

extension Unicode.Scalar {
  /// Whether a regular expression's `\w` matches: letters, marks, digits, connectors, joiners.
  fileprivate var isWordCharacter: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return true }
    return switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: false
    }
  }
}
