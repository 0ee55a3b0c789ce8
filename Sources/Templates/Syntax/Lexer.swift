/// Cuts a template into tokens, with the white space around tags dropped as the signs in them say.
///
/// The rules are jinja2's with `trim_blocks` and `lstrip_blocks`, as transformers sets them: a line
/// break behind `%}` or `#}` goes, and so does what is white space from the start of a line to `{%`
/// or `{#`; a minus drops all white space on its side, a plus keeps it. One line break at the end
/// of the template goes as well.
struct Lexer {
  let source: [Unicode.Scalar]
  var index = 0
  var tokens: [Token] = []
  /// Brackets that are open in the tag, innermost last.
  var openBrackets: [Token.Symbol] = []
  /// Whether what was matched last ended with a line break, or nothing was.
  private var startsLine = true
  /// Where `locate` was asked for last, and the line break before it.
  private var located = (index: 0, line: 1, lineStart: 0)

  init(_ text: String) {
    var scalars: [Unicode.Scalar] = []
    for scalar in text.unicodeScalars {
      // A line break is "\n", however the file spells it.
      if scalar == "\n", scalars.last == "\r" { scalars.removeLast() }
      scalars.append(scalar)
    }
    source = scalars.map { $0 == "\r" ? "\n" : $0 }.droppingLastLineBreak
  }

  static func tokens(of text: String) throws(TemplateError) -> [Token] {
    var lexer = Lexer(text)
    while lexer.index < lexer.source.count { try lexer.readPart() }
    lexer.add(.end)
    return lexer.tokens
  }

  /// Reads text up to the next tag, and the tag.
  private mutating func readPart() throws(TemplateError) {
    guard let start = nextOpening(from: index) else {
      addData(upTo: source.count, sign: nil, isOutput: true)
      index = source.count
      return
    }
    let opening = source[start + 1]
    let sign = self.sign(at: start + 2)
    let raw = opening == "%" ? rawBody(at: start) : nil
    addData(upTo: start, sign: sign, isOutput: opening == "{")
    index = start
    if let raw { return try readRaw(raw) }
    let kind: Token.Kind = opening == "{" ? .outputBegin : .tagBegin
    if opening != "#" { add(kind) }
    index = start + (sign == nil ? 2 : 3)
    startsLine = false
    if opening == "#" { try readComment(from: start) } else { try readTag(kind, from: start) }
  }

  private func nextOpening(from start: Int) -> Int? {
    guard start + 1 < source.count else { return nil }
    return (start..<source.count - 1).first {
      source[$0] == "{" && ["{", "%", "#"].contains(source[$0 + 1])
    }
  }

  func sign(at index: Int) -> Unicode.Scalar? {
    guard index < source.count, ["-", "+"].contains(source[index]) else { return nil }
    return source[index]
  }

  /// - Parameter sign: what the tag behind the text says about white space before it.
  private mutating func addData(upTo end: Int, sign: Unicode.Scalar?, isOutput: Bool) {
    var text = Text(source[index..<end])
    if sign == "-" {
      text = text.trimmed(.right)
    } else if sign == nil, !isOutput {
      let lineStart = text.scalars.lastIndex(of: "\n").map { $0 + 1 } ?? 0
      if lineStart > 0 || startsLine, text.scalars[lineStart...].allSatisfy(\.isPythonSpace) {
        text = text[0..<lineStart]
      }
    }
    if !text.isEmpty { add(.data(text)) }
  }

  private mutating func readComment(from start: Int) throws(TemplateError) {
    guard let end = Text(source).firstIndex(of: "#}", from: index) else {
      throw TemplateError(.syntax, "the comment has no end '#}'", at: locate(start))
    }
    let sign = end > index ? self.sign(at: end - 1) : nil
    index = end + 2
    skipSpace(behind: sign)
  }

  /// Drops what a closing tag drops.
  private mutating func skipSpace(behind sign: Unicode.Scalar?, isOutput: Bool = false) {
    let start = index
    if sign == "-" {
      while index < source.count, source[index].isPythonSpace { index += 1 }
    } else if sign == nil, !isOutput, index < source.count, source[index] == "\n" {
      index += 1
    }
    startsLine = index > start && source[index - 1] == "\n"
  }

  private mutating func readTag(_ opening: Token.Kind, from start: Int) throws(TemplateError) {
    let isOutput = opening == .outputBegin
    while true {
      guard index < source.count else {
        let end = isOutput ? "}}" : "%}"
        throw TemplateError(.syntax, "the tag has no end '\(end)'", at: locate(start))
      }
      if openBrackets.isEmpty, let sign = closing(isOutput: isOutput) {
        add(isOutput ? .outputEnd : .tagEnd)
        index += sign == nil ? 2 : 3
        return skipSpace(behind: sign, isOutput: isOutput)
      }
      if source[index].isPythonSpace { index += 1 } else { try readToken() }
    }
  }

  /// Whether the tag ends here, and with which sign; nil when it does not.
  private func closing(isOutput: Bool) -> Unicode.Scalar?? {
    let end: [Unicode.Scalar] = isOutput ? ["}", "}"] : ["%", "}"]
    if source[index...].starts(with: end) { return .some(nil) }
    guard let sign = sign(at: index), !isOutput || sign == "-",
      source[(index + 1)...].starts(with: end)
    else { return nil }
    return sign
  }
}

// MARK: Raw blocks

extension Lexer {
  /// Where the text behind `{% raw %}` begins, when that is what the tag is.
  private func rawBody(at start: Int) -> Int? {
    guard var index = keyword("raw", at: start + (sign(at: start + 2) == nil ? 2 : 3)) else {
      return nil
    }
    let sign = self.sign(at: index)
    guard sign != "+" else { return nil }
    if sign != nil { index += 1 }
    guard source[index...].starts(with: ["%", "}"]) else { return nil }
    index += 2
    if sign == "-" { while index < source.count, source[index].isPythonSpace { index += 1 } }
    return index
  }

  /// Where the white space behind a word ends that stands alone between white space.
  private func keyword(_ word: String, at start: Int) -> Int? {
    var index = start
    func skipSpace() { while index < source.count, source[index].isPythonSpace { index += 1 } }
    skipSpace()
    guard source[index...].starts(with: word.unicodeScalars) else { return nil }
    index += word.unicodeScalars.count
    skipSpace()
    return index
  }

  private mutating func readRaw(_ body: Int) throws(TemplateError) {
    let start = index
    startsLine = source[body - 1] == "\n"
    index = body
    var search = body
    while let opening = nextOpening(from: search) {
      search = opening + 1
      let sign = self.sign(at: opening + 2)
      guard source[opening + 1] == "%",
        let end = keyword("endraw", at: opening + (sign == nil ? 2 : 3)), end < source.count
      else { continue }
      let closingSign = self.sign(at: end)
      let close = end + (closingSign == nil ? 0 : 1)
      guard source[close...].starts(with: ["%", "}"]) else { continue }
      addData(upTo: opening, sign: sign, isOutput: false)
      index = close + 2
      return skipSpace(behind: closingSign)
    }
    throw TemplateError(.syntax, "'raw' has no 'endraw'", at: locate(start))
  }
}

// MARK: Places

extension Lexer {
  mutating func add(_ kind: Token.Kind) {
    tokens.append(Token(kind: kind, position: locate(index)))
  }

  /// The line and column of an index.
  mutating func locate(_ index: Int) -> TemplatePosition {
    if index < located.index { located = (0, 1, 0) }
    for next in located.index..<max(index, located.index) where source[next] == "\n" {
      located.line += 1
      located.lineStart = next + 1
    }
    located.index = index
    return TemplatePosition(line: located.line, column: index - located.lineStart + 1)
  }
}

extension [Unicode.Scalar] {
  fileprivate var droppingLastLineBreak: [Unicode.Scalar] {
    last == "\n" ? Array(dropLast()) : self
  }
}
