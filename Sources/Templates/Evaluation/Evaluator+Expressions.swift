extension Evaluator {
  func evaluate(_ expression: Expression) throws(TemplateError) -> Value {
    do throws(TemplateError) {
      return try nested { () throws(TemplateError) in
        switch expression.kind {
        // These give what is there already.
        case .literal(let literal): return Value(literal)
        case .name(let name): return value(named: name)
        case .attribute(let object, let name):
          return try attribute(name, of: try evaluate(object))
        case .item(let object, let key):
          return try item(try evaluate(key), of: try evaluate(object))
        default:
          let value = try compute(expression)
          try check(value)
          return value
        }
      }
    } catch {
      throw error.located(at: expression.position)
    }
  }

  func value(named name: String) -> Value {
    scope[name] ?? .undefined("'\(name)' is undefined")
  }

  private func compute(_ expression: Expression) throws(TemplateError) -> Value {
    switch expression.kind {
    case .literal, .name, .attribute, .item: preconditionFailure("Evaluated already")
    case .list(let elements): return .list(try evaluate(elements))
    case .tuple(let elements): return .tuple(try evaluate(elements))
    case .dictionary(let pairs): return try dictionary(pairs)
    case .slice(let object, let start, let stop, let step):
      return try slice(
        try evaluate(object), start: try bound(start), stop: try bound(stop), step: try bound(step))
    case .call(let callee, let arguments):
      return try call(try evaluate(callee), try evaluate(arguments))
    case .filter, .test: return try filterOrTest(expression)
    case .not(let operand): return .boolean(!(try evaluate(operand).isTrue))
    case .negative(let operand): return try negative(try evaluate(operand))
    case .positive(let operand): return try positive(try evaluate(operand))
    case .binary(let operation, let left, let right):
      return try arithmetic(operation, try evaluate(left), try evaluate(right))
    case .concatenation(let parts): return .string(try concatenation(try evaluate(parts)))
    case .comparison(let first, let rest): return try comparison(first, rest)
    case .and(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? try evaluate(right) : value
    case .or(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? value : try evaluate(right)
    case .conditional(let test, let then, let otherwise):
      return try conditional(test, then, otherwise)
    }
  }

  private func evaluate(_ expressions: [Expression]) throws(TemplateError) -> [Value] {
    var values: [Value] = []
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  private func dictionary(
    _ pairs: [(key: Expression, value: Expression)]
  ) throws(TemplateError) -> Value {
    var table = Table()
    for pair in pairs { table[try hashable(try evaluate(pair.key))] = try evaluate(pair.value) }
    return .dictionary(table)
  }

  func hashable(_ key: Value) throws(TemplateError) -> Value {
    guard key.isHashable else {
      throw TemplateError(.evaluation, "\(key.kindName) cannot be a key")
    }
    return key
  }

  func concatenation(
    _ values: [Value], separator: Text = ""
  ) throws(TemplateError) -> Text {
    var text = Text()
    for (index, value) in values.enumerated() {
      if index > 0 { text += separator }
      try spend(on: value)
      text += value.printed
      try checkLength(text.count)
    }
    return text
  }

  private func comparison(
    _ first: Expression, _ rest: [(operation: ComparisonOperator, operand: Expression)]
  ) throws(TemplateError) -> Value {
    var left = try evaluate(first)
    for (operation, operand) in rest {
      let right = try evaluate(operand)
      guard try compare(left, operation, right) else { return .boolean(false) }
      left = right
    }
    return .boolean(true)
  }

  private func conditional(
    _ test: Expression, _ then: Expression, _ otherwise: Expression?
  ) throws(TemplateError) -> Value {
    if try evaluate(test).isTrue { return try evaluate(then) }
    if let otherwise { return try evaluate(otherwise) }
    return .undefined("the condition of an 'if' without 'else' is false, so it has no value")
  }

  private func filterOrTest(_ expression: Expression) throws(TemplateError) -> Value {
    switch expression.kind {
    case .filter(let value?, let name, let arguments):
      return try apply(
        filter: name, to: try evaluate(value), try evaluate(arguments))
    case .test(let value, let name, let arguments):
      return .boolean(
        try apply(test: name, to: try evaluate(value), try evaluate(arguments)))
    default: preconditionFailure("A filter without a value stands only at a block")
    }
  }

  /// The value behind the filters of a block.
  func filtered(_ value: Value, by expression: Expression) throws(TemplateError) -> Value {
    guard case .filter(let inner, let name, let arguments) = expression.kind else {
      preconditionFailure("Blocks have filters alone")
    }
    do throws(TemplateError) {
      let value =
        try inner.map { (inner) throws(TemplateError) in
          try filtered(value, by: inner)
        } ?? value
      return try apply(filter: name, to: value, try evaluate(arguments))
    } catch {
      throw error.located(at: expression.position)
    }
  }
}

extension Value {
  fileprivate init(_ literal: Literal) {
    self =
      switch literal {
      case .none: .none
      case .boolean(let value): .boolean(value)
      case .integer(let value): .integer(value)
      case .float(let value): .float(value)
      case .string(let text): .string(text)
      }
  }
}
