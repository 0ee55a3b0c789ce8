/// Expressions, from what binds weakest to what binds strongest.
extension Parser {
  /// - Parameter allowsConditional: whether `a if b else c` may stand here unparenthesised.
  mutating func expression(
    allowsConditional: Bool = true
  ) throws(TemplateError) -> Expression {
    try nested { (parser) throws(TemplateError) in
      allowsConditional ? try parser.conditional() : try parser.disjunction()
    }
  }

  /// An expression, or several with commas between them.
  ///
  /// - Parameters:
  ///   - end: a name that ends it.
  ///   - element: reads one of them.
  mutating func expressionOrTuple(
    allowsConditional: Bool = true, isParenthesised: Bool = false, end: String? = nil,
    element: ((inout Parser) throws(TemplateError) -> Expression)? = nil
  ) throws(TemplateError) -> Expression {
    let start = position
    var elements: [Expression] = []
    var isTuple = false
    while !isAtEndOfTuple(end) {
      if let element {
        elements.append(try element(&self))
      } else {
        elements.append(try expression(allowsConditional: allowsConditional))
      }
      guard skip(.comma) else { break }
      isTuple = true
    }
    if !isTuple, let only = elements.first { return only }
    guard !elements.isEmpty || isParenthesised else { throw unexpected("an expression") }
    return Expression(kind: .tuple(elements), position: start)
  }

  private func isAtEndOfTuple(_ end: String?) -> Bool {
    switch current.kind {
    case .outputEnd, .tagEnd, .symbol(.closeParenthesis): true
    case .name(let name): name == end
    default: false
    }
  }

  private mutating func conditional() throws(TemplateError) -> Expression {
    let start = position
    var value = try disjunction()
    var count = 0
    while skip("if") {
      count += 1
      try checkChain(count)
      let test = try disjunction()
      let otherwise: Expression? =
        if skip("else") {
          try nested { (parser) throws(TemplateError) in try parser.conditional() }
        } else { nil }
      value = Expression(
        kind: .conditional(test: test, then: value, otherwise: otherwise), position: start)
    }
    return value
  }

  private mutating func disjunction() throws(TemplateError) -> Expression {
    var left = try conjunction()
    var count = 0
    while case let start = position, skip("or") {
      count += 1
      try checkChain(count)
      left = Expression(kind: .or(left, try conjunction()), position: start)
    }
    return left
  }

  private mutating func conjunction() throws(TemplateError) -> Expression {
    var left = try negation()
    var count = 0
    while case let start = position, skip("and") {
      count += 1
      try checkChain(count)
      left = Expression(kind: .and(left, try negation()), position: start)
    }
    return left
  }

  private mutating func negation() throws(TemplateError) -> Expression {
    let start = position
    guard skip("not") else { return try comparison() }
    let operand = try nested { (parser) throws(TemplateError) in try parser.negation() }
    return Expression(kind: .not(operand), position: start)
  }

  private mutating func comparison() throws(TemplateError) -> Expression {
    let start = position
    let first = try sum()
    var rest: [(operation: ComparisonOperator, operand: Expression)] = []
    while let operation = comparisonOperator() { rest.append((operation, try sum())) }
    return rest.isEmpty
      ? first : Expression(kind: .comparison(first, rest), position: start)
  }

  private mutating func comparisonOperator() -> ComparisonOperator? {
    if skip("in") { return .isIn }
    if isAt("not"), following.kind == .name("in") {
      advance()
      advance()
      return .isNotIn
    }
    guard case .symbol(let symbol) = current.kind,
      let operation = ComparisonOperator(rawValue: symbol.rawValue)
    else { return nil }
    advance()
    return operation
  }

  private mutating func sum() throws(TemplateError) -> Expression {
    try chain([.add, .subtract]) { (parser) throws(TemplateError) in try parser.concatenation() }
  }

  private mutating func concatenation() throws(TemplateError) -> Expression {
    let start = position
    var parts = [try product()]
    while skip(.tilde) { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : Expression(kind: .concatenation(parts), position: start)
  }

  private mutating func product() throws(TemplateError) -> Expression {
    try chain([.multiply, .divide, .floorDivide, .remainder]) {
      (parser) throws(TemplateError) in
      try parser.chain([.power]) { (parser) throws(TemplateError) in try parser.unary() }
    }
  }

  /// Operands with operators of one strength between them, from the left.
  private mutating func chain(
    _ operators: [Token.Symbol],
    operand: (inout Parser) throws(TemplateError) -> Expression
  ) throws(TemplateError) -> Expression {
    var left = try operand(&self)
    var count = 0
    while case .symbol(let symbol) = current.kind, operators.contains(symbol),
      let operation = ArithmeticOperator(rawValue: symbol.rawValue)
    {
      let start = position
      advance()
      count += 1
      try checkChain(count)
      left = Expression(kind: .binary(operation, left, try operand(&self)), position: start)
    }
    return left
  }

  /// - Parameter allowsFilters: a sign binds stronger than a filter.
  private mutating func unary(allowsFilters: Bool = true) throws(TemplateError) -> Expression {
    let start = position
    var value: Expression
    if skip(.subtract) {
      value = Expression(kind: .negative(try operandOfSign()), position: start)
    } else if skip(.add) {
      value = Expression(kind: .positive(try operandOfSign()), position: start)
    } else {
      value = try primary()
    }
    value = try postfix(of: value)
    return allowsFilters ? try filtered(value) : value
  }

  private mutating func operandOfSign() throws(TemplateError) -> Expression {
    try nested { (parser) throws(TemplateError) in try parser.unary(allowsFilters: false) }
  }
}
