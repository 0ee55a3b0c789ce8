extension Evaluator {
  /// How statements end.
  enum Outcome { case finished, breaksLoop, continuesLoop }

  func run(_ statements: [Statement]) throws(TemplateError) -> Outcome {
    for statement in statements {
      do throws(TemplateError) {
        let outcome = try nested { () throws(TemplateError) in try run(statement) }
        if outcome != .finished { return outcome }
      } catch {
        throw error.located(at: statement.position)
      }
    }
    return .finished
  }

  private func run(_ statement: Statement) throws(TemplateError) -> Outcome {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let expression): try write(try evaluate(expression).printed)
    case .condition(let branches, let otherwise): return try run(branches, otherwise)
    case .loop(let loop): return try run(loop, in: scope, depth0: 0)
    case .breakLoop: return .breaksLoop
    case .continueLoop: return .continuesLoop
    case .set(let target, let expression): try assign(try evaluate(expression), to: target)
    case .setBlock(let target, let filter, let body):
      let text = try text(of: body)
      try assign(
        try filter.map { (filter) throws(TemplateError) in
          try filtered(text, by: filter)
        } ?? text, to: target)
    case .filterBlock(let filter, let body):
      try write(try filtered(try text(of: body), by: filter).printed)
    case .with(let assignments, let body): return try run(assignments, body)
    case .macro(let definition):
      scope.set(definition.name, to: .callable(.macro(macro(definition))))
    case .call(let call, let caller): try write(try evaluate(call, caller: macro(caller)).printed)
    }
    return .finished
  }

  private func run(
    _ branches: [(test: Expression, body: [Statement])], _ otherwise: [Statement]
  ) throws(TemplateError) -> Outcome {
    for branch in branches where try evaluate(branch.test).isTrue { return try run(branch.body) }
    return try run(otherwise)
  }

  /// The text of a block that sees what is around it and keeps its own names.
  private func text(of body: [Statement]) throws(TemplateError) -> Value {
    .string(
      try captured(in: Scope(in: scope)) { () throws(TemplateError) in _ = try run(body) })
  }

  private func run(
    _ assignments: [(Target, Expression)], _ body: [Statement]
  ) throws(TemplateError) -> Outcome {
    let outer = scope
    var values: [Value] = []
    for (_, expression) in assignments { values.append(try evaluate(expression)) }
    scope = Scope(in: outer)
    defer { scope = outer }
    for ((target, _), value) in zip(assignments, values) { try assign(value, to: target) }
    return try run(body)
  }

  private func macro(_ definition: MacroDefinition) -> Macro {
    macroScopes.append(scope)
    return Macro(definition, in: scope)
  }

  private func assign(_ value: Value, to target: Target) throws(TemplateError) {
    switch target {
    case .name(let name): scope.set(name, to: value)
    case .attribute(let name, let attribute):
      guard case .namespace(let namespace)? = scope[name] else {
        throw TemplateError(
          .evaluation, "'\(name)' is no namespace(), so '\(name).\(attribute)' cannot be set")
      }
      try Global.checkNamespaceAttribute(attribute)
      namespace.attributes[attribute] = value
    case .tuple(let targets):
      let values = try elements(of: value)
      guard values.count == targets.count else {
        throw TemplateError(
          .evaluation, "\(values.count) values for \(targets.count) names")
      }
      for (value, target) in zip(values, targets) { try assign(value, to: target) }
    }
  }
}

// MARK: Loops

extension Evaluator {
  /// Runs a loop over the value of its sequence.
  private func run(
    _ statement: LoopStatement, in outer: Scope, depth0: Int
  ) throws(TemplateError) -> Outcome {
    try run(statement, over: try evaluate(statement.sequence), in: outer, depth0: depth0)
    return .finished
  }

  /// The text of a recursive loop that runs again, over other values.
  func text(
    of recursion: LoopRecursion, over value: Value, depth0: Int
  ) throws(TemplateError) -> Value {
    .string(
      try captured(in: recursion.scope) { () throws(TemplateError) in
        try run(recursion.statement, over: value, in: recursion.scope, depth0: depth0)
      })
  }

  private func run(
    _ statement: LoopStatement, over sequence: Value, in outer: Scope, depth0: Int
  ) throws(TemplateError) {
    defer { scope = outer }
    let recursion = statement.isRecursive ? LoopRecursion(statement: statement, scope: outer) : nil
    let loop = Loop(
      depth0: depth0, recursion: recursion, try source(of: statement, over: sequence, in: outer))
    while let value = try loop.advance() {
      try spend()
      scope = Scope(in: outer, ["loop": .loop(loop)])
      try assign(value, to: statement.target)
      if try run(statement.body) == .breaksLoop { break }
    }
    guard loop.index0 < 0 else { return }
    scope = Scope(in: outer)
    _ = try run(statement.otherwise)
  }

  /// Gives the values that pass the filter of a loop, one by one.
  private func source(
    of statement: LoopStatement, over sequence: Value, in outer: Scope
  ) throws(TemplateError) -> Loop.Source {
    let values = try iterator(over: sequence)
    guard let filter = statement.filter else {
      return { () throws(TemplateError) in values.next() }
    }
    return { [unowned self] () throws(TemplateError) in
      let inner = scope
      defer { scope = inner }
      while let value = values.next() {
        try spend()
        scope = Scope(in: outer)
        try assign(value, to: statement.target)
        if try evaluate(filter).isTrue { return value }
      }
      return nil
    }
  }
}
