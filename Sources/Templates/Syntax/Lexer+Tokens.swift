extension Lexer {
  /// Reads one token of an expression.
  mutating func readToken() throws(TemplateError) {
    let first = source[index]
    switch first {
    case "0"..."9": try readNumber()
    case "'", "\"": try readString(quote: first)
    default:
      if first == "_" || first.properties.isXIDStart { return readName() }
      guard let symbol = symbol else {
        throw TemplateError(
          .syntax, "unexpected character '\(Text([first]).string)'", at: locate(index))
      }
      try balance(symbol)
      add(.symbol(symbol))
      index += symbol.rawValue.unicodeScalars.count
    }
  }

  private mutating func readName() {
    let end = source[index...].firstIndex { !$0.properties.isXIDContinue } ?? source.count
    add(.name(Text(source[index..<end]).string))
    index = end
  }

  /// The longest symbol that stands here.
  private var symbol: Token.Symbol? {
    let two = Text(source[index..<min(index + 2, source.count)]).string
    return Token.Symbol(rawValue: two)
      ?? Token.Symbol(rawValue: Text([source[index]]).string)
  }

  private mutating func balance(_ symbol: Token.Symbol) throws(TemplateError) {
    switch symbol {
    case .openBrace: openBrackets.append(.closeBrace)
    case .openBracket: openBrackets.append(.closeBracket)
    case .openParenthesis: openBrackets.append(.closeParenthesis)
    case .closeBrace, .closeBracket, .closeParenthesis:
      guard openBrackets.last == symbol else {
        let expected = openBrackets.last.map { ", expected '\($0.rawValue)'" } ?? ""
        throw TemplateError(
          .syntax, "unexpected '\(symbol.rawValue)'\(expected)", at: locate(index))
      }
      openBrackets.removeLast()
    default: break
    }
  }
}

// MARK: Numbers

extension Lexer {
  private mutating func readNumber() throws(TemplateError) {
    let isBehindDot = index > 0 && source[index - 1] == "."
    if !isBehindDot, let end = endOfFloat {
      let text = Text(source[index..<end]).string.filter { $0 != "_" }
      guard let value = Double(text) else {
        throw TemplateError(.syntax, "'\(text)' is no number", at: locate(index))
      }
      add(.float(value))
      index = end
      return
    }
    let (end, base, digitStart) = integerExtent
    let digits = Text(source[digitStart..<end]).string.filter { $0 != "_" }
    guard let value = Int(digits, radix: base) else {
      throw TemplateError(
        .unsupported, "the number '\(digits)' does not fit 64 bits", at: locate(index))
    }
    add(.integer(value))
    index = end
  }

  /// Digits with single underscores between them.
  private func endOfDigits(from start: Int, base: Int = 10) -> Int {
    func isDigit(_ index: Int) -> Bool {
      index < source.count
        && source[index].isASCII && Character(source[index]).hexDigitValue ?? .max < base
    }
    var end = start
    while isDigit(end)
      || (end > start && end < source.count && source[end] == "_" && isDigit(end + 1))
    {
      end += 1
    }
    return end
  }

  /// Where the float ends that begins here; nil when there is none.
  private var endOfFloat: Int? {
    func fraction(_ start: Int) -> Int? {
      guard start < source.count, source[start] == "." else { return nil }
      let end = endOfDigits(from: start + 1)
      return end > start + 1 ? end : nil
    }
    func exponent(_ start: Int) -> Int? {
      guard start < source.count, source[start] == "e" || source[start] == "E" else { return nil }
      let digits = start + (sign(at: start + 1) == nil ? 1 : 2)
      let end = endOfDigits(from: digits)
      return end > digits ? end : nil
    }
    let whole = endOfDigits(from: index)
    let part = fraction(whole)
    return exponent(part ?? whole) ?? part
  }

  private var integerExtent: (end: Int, base: Int, digitStart: Int) {
    let bases: [Unicode.Scalar: Int] = ["b": 2, "o": 8, "x": 16, "B": 2, "O": 8, "X": 16]
    if source[index] == "0", index + 1 < source.count, let base = bases[source[index + 1]] {
      var start = index + 2
      if start < source.count, source[start] == "_" { start += 1 }
      let end = endOfDigits(from: start, base: base)
      if end > start { return (end, base, start) }
    }
    let end = endOfDigits(from: index)
    // "007" is three numbers to jinja2, of which the parser takes one.
    guard source[index] == "0" else { return (end, 10, index) }
    let zeros = source[index..<end].firstIndex { $0 != "0" && $0 != "_" } ?? end
    return (zeros, 10, index)
  }
}

// MARK: Strings

extension Lexer {
  private mutating func readString(quote: Unicode.Scalar) throws(TemplateError) {
    var text = Text()
    var next = index + 1
    while next < source.count, source[next] != quote {
      if source[next] == "\\" {
        next = try readEscape(at: next + 1, into: &text)
      } else {
        text.append(source[next])
        next += 1
      }
    }
    guard next < source.count else {
      throw TemplateError(.syntax, "the string has no end", at: locate(index))
    }
    add(.string(text))
    index = next + 1
  }

  /// Reads what stands behind a backslash, as Python's `unicode-escape` does.
  ///
  /// - Returns: where the text goes on.
  private mutating func readEscape(
    at start: Int, into text: inout Text
  ) throws(TemplateError) -> Int {
    guard start < source.count else { return start }
    let plain: [Unicode.Scalar: Unicode.Scalar] = [
      "n": "\n", "r": "\r", "t": "\t", "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "v": "\u{B}",
      "\\": "\\", "'": "'", "\"": "\"",
    ]
    let letter = source[start]
    if let scalar = plain[letter] {
      text.append(scalar)
      return start + 1
    }
    switch letter {
    case "\n": return start + 1
    case "0"..."7":
      let end = source[start..<min(start + 3, source.count)].firstIndex { !("0"..."7" ~= $0) }
      return try appendCode(start..<(end ?? min(start + 3, source.count)), base: 8, to: &text)
    case "x": return try appendCode(start + 1..<start + 3, base: 16, to: &text)
    case "u": return try appendCode(start + 1..<start + 5, base: 16, to: &text)
    case "U": return try appendCode(start + 1..<start + 9, base: 16, to: &text)
    case "N":
      throw TemplateError(
        .unsupported, "characters by name ('\\N{...}') are not supported. Write the character",
        at: locate(start))
    default:
      // Python reads the text as ASCII, in which another character is an escape itself.
      text += letter.isASCII ? Text(["\\", letter]) : Text(letter.escaped)
      return start + 1
    }
  }

  private mutating func appendCode(
    _ range: Range<Int>, base: UInt32, to text: inout Text
  ) throws(TemplateError) -> Int {
    let digits = range.upperBound <= source.count ? Text(source[range]).string : ""
    guard digits.allSatisfy(\.isHexDigit), let code = UInt32(digits, radix: Int(base)),
      let scalar = Unicode.Scalar(code)
    else {
      throw TemplateError(
        .syntax, "the escape '\\\(Text([source[range.lowerBound - 1]]).string)' names no character",
        at: locate(range.lowerBound))
    }
    text.append(scalar)
    return range.upperBound
  }
}
