extension Evaluator {
  func evaluate(_ arguments: CallArguments) throws(TemplateError) -> Arguments {
    var result = Arguments()
    for expression in arguments.positional { result.positional.append(try evaluate(expression)) }
    for (name, expression) in arguments.named {
      result.named.append((name, try evaluate(expression)))
    }
    if let rest = arguments.positionalRest {
      result.positional += try elements(of: try evaluate(rest))
    }
    if let rest = arguments.namedRest {
      guard case .dictionary(let table) = try evaluate(rest) else {
        throw TemplateError(.evaluation, "what stands behind '**' is no dictionary")
      }
      for (key, value) in table.pairs {
        guard let name = key.text?.string, !result.named.contains(where: { $0.name == name }) else {
          throw TemplateError(
            .evaluation, "'\(key.printed.string)' behind '**' is no name or is given twice")
        }
        result.named.append((name, value))
      }
    }
    return result
  }

  /// The value of a call that has a block for its macro.
  func evaluate(_ expression: Expression, caller: Macro) throws(TemplateError) -> Value {
    guard case .call(let callee, let arguments) = expression.kind else {
      preconditionFailure("Only a call has a caller")
    }
    var values = try evaluate(arguments)
    values.named.append(("caller", .callable(.macro(caller))))
    return try call(try evaluate(callee), values)
  }

  func call(_ callee: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    switch callee {
    case .undefined(let undefined): throw TemplateError(.evaluation, undefined.message)
    case .callable(let callable):
      var parameters = Parameters(arguments, of: "the \(callable.name)")
      let result =
        switch callable {
        case .global(let global): try global.call(&parameters, self)
        case .method(let name, let receiver):
          try Methods.call(name, of: receiver, &parameters, self)
        case .macro(let macro): try call(macro, &parameters)
        }
      try parameters.finish()
      return result
    case .loop(let loop): return try call(loop, arguments)
    default: throw TemplateError(.evaluation, "\(callee.kindName) cannot be called")
    }
  }

  private func call(_ loop: Loop, _ arguments: Arguments) throws(TemplateError) -> Value {
    guard let recursion = loop.recursion else {
      throw TemplateError(.evaluation, "'loop' is called, and the loop is not 'recursive'")
    }
    var parameters = Parameters(arguments, of: "'loop'")
    let values = try parameters.required("iterable")
    try parameters.finish()
    return try text(of: recursion, over: values, depth0: loop.depth0 + 1)
  }

  private func call(_ macro: Macro, _ parameters: inout Parameters) throws(TemplateError) -> Value {
    let definition = macro.definition
    let inner = Scope(in: macro.scope)
    var given: [(name: String, value: Value?, standard: Expression?)] = []
    for parameter in definition.parameters {
      given.append((parameter.name, parameters.optional(parameter.name), parameter.standard))
    }
    try bindExtras(of: definition, &parameters, in: inner)
    try parameters.finish()
    let text = try captured(in: inner) { () throws(TemplateError) in
      for (name, value, standard) in given {
        if let value {
          inner.set(name, to: value)
        } else if let standard {
          inner.set(name, to: try evaluate(standard))
        } else {
          inner.set(
            name, to: .undefined("the parameter '\(name)' is not given"))
        }
      }
      _ = try run(definition.body)
    }
    return .string(text)
  }

  /// Gives a macro what it reads beside its parameters.
  private func bindExtras(
    of definition: MacroDefinition, _ parameters: inout Parameters, in scope: Scope
  ) throws(TemplateError) {
    if definition.extras.contains("caller") {
      let none = Value.undefined("the macro has no 'caller' here")
      scope.set("caller", to: parameters.takeNamed("caller") ?? none)
    }
    guard !definition.extras.isDisjoint(with: ["varargs", "kwargs"]) else { return }
    let rest = parameters.rest()
    var allowed = Arguments()
    if definition.extras.contains("varargs") {
      scope.set("varargs", to: .tuple(rest.positional))
    } else {
      allowed.positional = rest.positional
    }
    if definition.extras.contains("kwargs") {
      scope.set("kwargs", to: .dictionary(Table(rest.named.map { (.string($0.name), $0.value) })))
    } else {
      allowed.named = rest.named
    }
    parameters = Parameters(allowed, of: parameters.callee)
  }

  func apply(
    filter name: String, to value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    guard let filter = Filters.table[name] else { throw Filters.unknown(name) }
    return try call("the filter '\(name)'", arguments) {
      (parameters) throws(TemplateError) in try filter(value, &parameters, self)
    }
  }

  func apply(
    test name: String, to value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Bool {
    guard let test = Tests.table[name] else { throw Tests.unknown(name) }
    return try call("the test '\(name)'", arguments) {
      (parameters) throws(TemplateError) in try test(value, &parameters, self)
    }
  }

  /// Calls a function of the library, which has to take all of its arguments.
  private func call<Result>(
    _ callee: String, _ arguments: Arguments,
    _ function: (inout Parameters) throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    try spend()
    var parameters = Parameters(arguments, of: callee)
    let result = try function(&parameters)
    try parameters.finish()
    return result
  }
}
