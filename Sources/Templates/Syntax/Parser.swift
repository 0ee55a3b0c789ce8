/// Builds the statements of a template from its tokens.
struct Parser {
  private let tokens: [Token]
  private var index = 0
  let limits: TemplateLimits
  /// How deep the statement or expression is that is being read.
  private(set) var depth = 0
  /// Loops that the statement being read is in, up to the macro.
  var loopCount = 0
  /// Conditions that what is being read depends on.
  ///
  /// A template may ask there whether a filter exists before it uses it, so that an unknown one is an
  /// error only when it is reached.
  var conditionCount = 0
  /// Names that were read since the macro began.
  var readNames: Set<String> = []

  init(_ text: String, limits: TemplateLimits) throws(TemplateError) {
    tokens = try Lexer.tokens(of: text)
    self.limits = limits
  }

  static func statements(
    of text: String, limits: TemplateLimits
  ) throws(TemplateError) -> [Statement] {
    var parser = try Parser(text, limits: limits)
    return try parser.statements(until: [], of: nil)
  }
}

// MARK: Tokens

extension Parser {
  var current: Token { tokens[index] }
  var position: TemplatePosition { current.position }

  /// The token behind the current one.
  var following: Token { tokens[min(index + 1, tokens.count - 1)] }

  mutating func advance() { index = min(index + 1, tokens.count - 1) }

  func isAt(_ symbol: Token.Symbol) -> Bool { current.kind == .symbol(symbol) }

  func isAt(_ name: String) -> Bool { current.kind == .name(name) }

  mutating func skip(_ symbol: Token.Symbol) -> Bool {
    guard isAt(symbol) else { return false }
    advance()
    return true
  }

  mutating func skip(_ name: String) -> Bool {
    guard isAt(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ symbol: Token.Symbol) throws(TemplateError) {
    guard skip(symbol) else { throw unexpected("'\(symbol.rawValue)'") }
  }

  mutating func expect(_ name: String) throws(TemplateError) {
    guard skip(name) else { throw unexpected("'\(name)'") }
  }

  mutating func expectName() throws(TemplateError) -> String {
    guard case .name(let name) = current.kind else { throw unexpected("a name") }
    advance()
    return name
  }

  mutating func expect(_ kind: Token.Kind) throws(TemplateError) {
    guard current.kind == kind else {
      throw unexpected(Token(kind: kind, position: position).shown)
    }
    advance()
  }

  func unexpected(_ expected: String) -> TemplateError {
    TemplateError(.syntax, "got \(current.shown), expected \(expected)", at: position)
  }

  /// Reads something inside what is being read.
  mutating func nested<Result>(
    _ read: (inout Parser) throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    guard depth < limits.depth else {
      throw TemplateError(
        .limit, "expressions and blocks are more than \(limits.depth) deep", at: position)
    }
    depth += 1
    defer { depth -= 1 }
    return try read(&self)
  }

  /// Checks that a chain of operators, which becomes as deep as it is long, has an end.
  func checkChain(_ count: Int) throws(TemplateError) {
    guard depth + count <= limits.depth else {
      throw TemplateError(
        .limit, "more than \(limits.depth) operators in a row; use several 'set'", at: position)
    }
  }
}
