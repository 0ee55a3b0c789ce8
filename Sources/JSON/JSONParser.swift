/// A defect in JSON text and where it is.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  /// Bytes from the start of the text.
  public let offset: Int
  public let problem: String

  public var description: String { "\(problem) at byte \(offset)" }
}

extension JSONValue {
  /// Parses RFC 8259 text, stricter where formats need it: a repeated key is an error.
  ///
  /// - Throws: `JSONError` with the byte offset of the first defect.
  public init(parsing text: Span<UInt8>) throws(JSONError) {
    var parser = JSONParser(text: text)
    self = try parser.parseDocument()
  }

  /// Parses a string; see `init(parsing:)` for spans.
  public init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8).span)
  }
}

/// A recursive-descent parser over borrowed bytes.
private struct JSONParser: ~Escapable {
  /// Deeper nesting is an attack on the stack, not a model file.
  static let maximumDepth = 128

  let text: Span<UInt8>
  var position = 0

  @_lifetime(copy text)
  init(text: Span<UInt8>) { self.text = text }
}

extension JSONParser {
  mutating func parseDocument() throws(JSONError) -> JSONValue {
    skipWhitespace()
    let value = try parseValue(depth: 0)
    skipWhitespace()
    if position < text.count { throw defect("unexpected \(nextByteName) after the document") }
    return value
  }

  private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < Self.maximumDepth else {
      throw defect("nesting deeper than \(Self.maximumDepth) levels")
    }
    switch peek() {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", as: true)
    case UInt8(ascii: "f"): return try parseWord("false", as: false)
    case UInt8(ascii: "n"): return try parseWord("null", as: nil)
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"): return try parseNumber()
    default: throw defect("expected a value, got \(nextByteName)")
    }
  }

  private mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var members = JSONObject()
    skipWhitespace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipWhitespace()
      let keyOffset = position
      guard peek() == UInt8(ascii: "\"") else {
        throw defect("expected a key in quotes, got \(nextByteName)")
      }
      let key = try parseString()
      skipWhitespace()
      guard take(UInt8(ascii: ":")) else { throw defect("expected ':', got \(nextByteName)") }
      skipWhitespace()
      let value = try parseValue(depth: depth + 1)
      guard members.updateValue(value, forKey: key) == nil else {
        throw JSONError(offset: keyOffset, problem: "key '\(key)' appears twice in one object")
      }
      skipWhitespace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else {
        throw defect("expected ',' or '}', got \(nextByteName)")
      }
    }
  }

  private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipWhitespace()
    if take(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      skipWhitespace()
      elements.append(try parseValue(depth: depth + 1))
      skipWhitespace()
      if take(UInt8(ascii: "]")) { return .array(elements) }
      guard take(UInt8(ascii: ",")) else {
        throw defect("expected ',' or ']', got \(nextByteName)")
      }
    }
  }

  private mutating func parseWord(
    _ word: StaticString, as value: JSONValue
  ) throws(JSONError) -> JSONValue {
    for byte in "\(word)".utf8 {
      guard take(byte) else { throw defect("expected '\(word)', got \(nextByteName)") }
    }
    return value
  }

  // MARK: Numbers

  private mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = position
    _ = take(UInt8(ascii: "-"))
    let integerStart = position
    try skipDigits()
    if position - integerStart > 1, text[integerStart] == UInt8(ascii: "0") {
      throw JSONError(offset: start, problem: "number with a leading zero")
    }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try skipDigits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
      try skipDigits()
    }
    let digits = try string(in: start..<position)
    if isInteger, let value = Int(digits) { return .integer(value) }
    guard let value = Double(digits), value.isFinite else {
      throw JSONError(offset: start, problem: "number \(digits) does not fit a double")
    }
    return .number(value)
  }

  private mutating func skipDigits() throws(JSONError) {
    let start = position
    while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      position += 1
    }
    if position == start { throw defect("expected a digit, got \(nextByteName)") }
  }

  // MARK: Strings

  private mutating func parseString() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "\""):
        defer { position += 1 }
        return try string(in: start..<position)
      case UInt8(ascii: "\\"):
        return try parseStringWithEscapes(from: start)
      case 0..<0x20:
        throw defect("control character in a string")
      default:
        position += 1
      }
    }
    throw JSONError(offset: start - 1, problem: "string without an end")
  }

  private mutating func parseStringWithEscapes(from start: Int) throws(JSONError) -> String {
    var result = ""
    var runStart = start
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "\""):
        result += try string(in: runStart..<position)
        position += 1
        return result
      case UInt8(ascii: "\\"):
        result += try string(in: runStart..<position)
        position += 1
        result.unicodeScalars.append(try parseEscape())
        runStart = position
      case 0..<0x20:
        throw defect("control character in a string")
      default:
        position += 1
      }
    }
    throw JSONError(offset: start - 1, problem: "string without an end")
  }

  private mutating func parseEscape() throws(JSONError) -> Unicode.Scalar {
    guard let byte = peek() else { throw defect("escape without an end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{08}"
    case UInt8(ascii: "f"): return "\u{0C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try parseUnicodeEscape()
    default:
      position -= 1
      throw defect("unknown escape \(nextByteName)")
    }
  }

  /// Reads the digits of `\uXXXX`, and of the second half when the first is a high surrogate.
  private mutating func parseUnicodeEscape() throws(JSONError) -> Unicode.Scalar {
    let start = position - 2
    let first = try parseHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    if (0xD800..<0xDC00).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
      let second = try parseHexDigits()
      if (0xDC00..<0xE000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw JSONError(offset: start, problem: "half of a surrogate pair")
  }

  private mutating func parseHexDigits() throws(JSONError) -> UInt32 {
    guard position + 4 <= text.count else { throw defect("escape without an end") }
    guard let value = UInt32(try string(in: position..<position + 4), radix: 16),
      text[position] != UInt8(ascii: "+"), text[position] != UInt8(ascii: "-")
    else { throw defect("expected four hexadecimal digits") }
    position += 4
    return value
  }

  // MARK: Bytes

  private func string(in range: Range<Int>) throws(JSONError) -> String {
    do {
      return String(copying: try UTF8Span(validating: text.extracting(range)))
    } catch {
      throw JSONError(offset: range.lowerBound, problem: "text that is not UTF-8")
    }
  }

  private func peek() -> UInt8? { position < text.count ? text[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipWhitespace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private var nextByteName: String {
    switch peek() {
    case nil: "the end of the text"
    case .some(let byte) where (0x21..<0x7F).contains(byte): "'\(Unicode.Scalar(byte))'"
    case .some(let byte): "byte \(byte)"
    }
  }

  private func defect(_ problem: String) -> JSONError {
    JSONError(offset: position, problem: problem)
  }
}
