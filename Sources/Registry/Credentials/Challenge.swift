/// One way to authenticate that a server offers in `WWW-Authenticate` (RFC 9110, section 11).
struct Challenge: Sendable, Hashable {
  /// `basic`, `bearer`, …, in lower case.
  let scheme: String
  /// The parameters, whose names are in lower case; the first of a name counts.
  let parameters: [String: String]

  /// The challenges in the value of one header, in their order; what cannot be read ends them.
  static func parse(_ header: String) -> [Challenge] {
    var parser = Parser(text: Array(header.utf8))
    var challenges: [Challenge] = []
    while let scheme = parser.takeScheme() {
      var parameters: [String: String] = [:]
      while parameters.count < 32, let (name, value) = parser.takeParameter() {
        if parameters[name] == nil { parameters[name] = value }
      }
      challenges.append(Challenge(scheme: scheme, parameters: parameters))
    }
    return challenges
  }
}

/// Walks over the bytes of a header.
private struct Parser {
  let text: [UInt8]
  var position = 0

  /// A word that is followed by no `=`.
  mutating func takeScheme() -> String? {
    skipSeparators()
    guard let word = takeWord() else { return nil }
    // A `token68`, which some schemes have in place of parameters, belongs to no scheme here.
    return word.lowercased()
  }

  /// `name=value` or `name="value"`; nil, with nothing taken, when a scheme or the end comes next.
  mutating func takeParameter() -> (String, String)? {
    let start = position
    skipSeparators()
    guard let name = takeWord() else {
      position = start
      return nil
    }
    skipSpaces()
    guard take("=") else {
      position = start
      return nil
    }
    skipSpaces()
    guard let value = take("\"") ? takeRestOfQuoted() : takeWord() else {
      position = text.count
      return nil
    }
    return (name.lowercased(), value)
  }

  private mutating func takeWord() -> String? {
    let start = position
    while position < text.count, isWord(text[position]) { position += 1 }
    return start == position ? nil : String(decoding: text[start..<position], as: UTF8.self)
  }

  private mutating func takeRestOfQuoted() -> String? {
    var value: [UInt8] = []
    while position < text.count {
      defer { position += 1 }
      switch text[position] {
      case UInt8(ascii: "\""): return String(decoding: value, as: UTF8.self)
      case UInt8(ascii: "\\"):
        position += 1
        guard position < text.count else { return nil }
        value.append(text[position])
      case let byte: value.append(byte)
      }
    }
    return nil
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpaces() {
    while take(" ") || take("\t") {}
  }

  private mutating func skipSeparators() {
    while take(" ") || take("\t") || take(",") {}
  }

  /// Whether a byte can be in a token; `/` and `:` too, for servers that forget their quotes.
  private func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~/:".utf8.contains(byte)
    }
  }
}
