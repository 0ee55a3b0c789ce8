/// Literals, names, and what can stand behind them.
extension Parser {
  mutating func primary() throws(TemplateError) -> Expression {
    let start = position
    func literal(_ literal: Literal) -> Expression {
      Expression(kind: .literal(literal), position: start)
    }
    switch current.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return literal(.boolean(true))
      case "false", "False": return literal(.boolean(false))
      case "none", "None": return literal(.none)
      default:
        readNames.insert(name)
        return Expression(kind: .name(name), position: start)
      }
    case .integer(let value):
      advance()
      return literal(.integer(value))
    case .float(let value):
      advance()
      return literal(.float(value))
    case .string:
      var text = Text()
      while case .string(let part) = current.kind {
        text += part
        advance()
      }
      return literal(.string(text))
    case .symbol(.openParenthesis):
      advance()
      let value = try expressionOrTuple(isParenthesised: true)
      try expect(.closeParenthesis)
      return value
    case .symbol(.openBracket):
      advance()
      let elements = try list(until: .closeBracket) {
        (parser) throws(TemplateError) in try parser.expression()
      }
      return Expression(kind: .list(elements), position: start)
    case .symbol(.openBrace):
      advance()
      let pairs = try list(until: .closeBrace) {
        (parser) throws(TemplateError) -> (key: Expression, value: Expression) in
        let key = try parser.expression()
        try parser.expect(.colon)
        return (key, try parser.expression())
      }
      return Expression(kind: .dictionary(pairs), position: start)
    default: throw unexpected("an expression")
    }
  }

  /// Elements with commas between them, and maybe one behind, up to a bracket.
  mutating func list<Element>(
    until end: Token.Symbol, element: (inout Parser) throws(TemplateError) -> Element
  ) throws(TemplateError) -> [Element] {
    var elements: [Element] = []
    while !isAt(end) {
      if !elements.isEmpty { try expect(.comma) }
      if isAt(end) { break }
      elements.append(try element(&self))
    }
    try expect(end)
    return elements
  }

  /// Attributes, items and calls behind a value.
  mutating func postfix(of value: Expression) throws(TemplateError) -> Expression {
    var value = value
    var count = 0
    while true {
      switch current.kind {
      case .symbol(.dot): value = try attribute(of: value)
      case .symbol(.openBracket): value = try item(of: value)
      case .symbol(.openParenthesis): value = try call(of: value)
      default: return value
      }
      count += 1
      try checkChain(count)
    }
  }

  /// Filters and tests behind a value, and calls of what they give.
  mutating func filtered(_ value: Expression) throws(TemplateError) -> Expression {
    var value = value
    var count = 0
    while true {
      if isAt(.pipe) {
        advance()
        value = try filter(of: value)
      } else if isAt("is") {
        value = try test(of: value)
      } else if isAt(.openParenthesis) {
        value = try call(of: value)
      } else {
        return value
      }
      count += 1
      try checkChain(count)
    }
  }

  private mutating func attribute(of value: Expression) throws(TemplateError) -> Expression {
    let start = position
    advance()
    if case .integer(let index) = current.kind {
      advance()
      return Expression(
        kind: .item(value, Expression(kind: .literal(.integer(index)), position: start)),
        position: start)
    }
    return Expression(kind: .attribute(value, try expectName()), position: start)
  }

  private mutating func item(of value: Expression) throws(TemplateError) -> Expression {
    let start = position
    advance()
    let first: Expression? = isAt(.colon) ? nil : try expression()
    var result: Expression
    if skip(.colon) {
      func bound(_ parser: inout Parser) throws(TemplateError) -> Expression? {
        parser.isAt(.colon) || parser.isAt(.closeBracket) ? nil : try parser.expression()
      }
      let stop = try bound(&self)
      let step = skip(.colon) ? try bound(&self) : nil
      result = Expression(
        kind: .slice(value, start: first, stop: stop, step: step), position: start)
    } else if let first {
      var keys = [first]
      var isTuple = false
      while skip(.comma) {
        isTuple = true
        if isAt(.closeBracket) { break }
        keys.append(try expression())
      }
      let key = isTuple ? Expression(kind: .tuple(keys), position: start) : first
      result = Expression(kind: .item(value, key), position: start)
    } else {
      throw unexpected("an index")
    }
    try expect(.closeBracket)
    return result
  }

  private mutating func call(of value: Expression) throws(TemplateError) -> Expression {
    let start = position
    return Expression(kind: .call(value, try arguments()), position: start)
  }

  private mutating func arguments() throws(TemplateError) -> CallArguments {
    try expect(.openParenthesis)
    var arguments = CallArguments()
    _ = try list(until: .closeParenthesis) { (parser) throws(TemplateError) in
      try parser.readArgument(into: &arguments)
    }
    return arguments
  }

  private mutating func readArgument(
    into arguments: inout CallArguments
  ) throws(TemplateError) {
    let isLast = arguments.namedRest != nil
    let isNamedOnly = isLast || arguments.positionalRest != nil || !arguments.named.isEmpty
    if isAt(.multiply), arguments.positionalRest == nil, !isLast {
      advance()
      arguments.positionalRest = try expression()
    } else if isAt(.power), !isLast {
      advance()
      arguments.namedRest = try expression()
    } else if case .name(let name) = current.kind, following.kind == .symbol(.assign), !isLast {
      advance()
      advance()
      guard !arguments.named.contains(where: { $0.name == name }) else {
        throw TemplateError(.syntax, "the argument '\(name)' is given twice", at: position)
      }
      arguments.named.append((name, try expression()))
    } else if !isNamedOnly {
      arguments.positional.append(try expression())
    } else {
      throw TemplateError(.syntax, "an argument without a name follows a named one", at: position)
    }
  }

  /// A filter behind `|`, or the first of a block.
  mutating func filter(of value: Expression?) throws(TemplateError) -> Expression {
    let start = position
    let name = try dottedName()
    if conditionCount == 0 { try Filters.checkName(name, at: start) }
    let arguments = isAt(.openParenthesis) ? try arguments() : CallArguments()
    return Expression(kind: .filter(value, name, arguments), position: start)
  }

  private mutating func test(of value: Expression) throws(TemplateError) -> Expression {
    let start = position
    advance()
    let isNegated = skip("not")
    let nameStart = position
    let name = try dottedName()
    if conditionCount == 0 { try Tests.checkName(name, at: nameStart) }
    var arguments = CallArguments()
    if isAt(.openParenthesis) {
      arguments = try self.arguments()
    } else if isAtTestArgument {
      guard !isAt("is") else {
        throw TemplateError(.syntax, "tests cannot be chained with 'is'", at: position)
      }
      arguments.positional = [try postfix(of: try primary())]
    }
    let test = Expression(kind: .test(value, name, arguments), position: start)
    return isNegated ? Expression(kind: .not(test), position: start) : test
  }

  /// Whether an argument without parentheses follows, as in `x is divisibleby 3`.
  private var isAtTestArgument: Bool {
    switch current.kind {
    case .name(let name): !["else", "or", "and"].contains(name)
    case .string, .integer, .float, .symbol(.openBracket), .symbol(.openBrace): true
    default: false
    }
  }

  private mutating func dottedName() throws(TemplateError) -> String {
    var name = try expectName()
    while skip(.dot) { name += "." + (try expectName()) }
    return name
  }
}
