/// What a call gives.
struct Arguments {
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []
}

/// Gives the arguments of a call to its parameters one by one, in their order.
///
///     var parameters = Parameters(arguments, of: "filter 'replace'")
///     let old = try parameters.required("old")
///     let count = parameters.optional("count")
///     try parameters.finish()
struct Parameters {
  /// What messages call what is called.
  let callee: String
  private var positional: ArraySlice<Value>
  private var named: [(name: String, value: Value)]

  init(_ arguments: Arguments, of callee: String) {
    self.callee = callee
    positional = arguments.positional[...]
    named = arguments.named
  }

  mutating func optional(_ name: String) -> Value? {
    if let value = positional.popFirst() { return value }
    return takeNamed(name)
  }

  /// A parameter that cannot be given by its place.
  mutating func takeNamed(_ name: String) -> Value? {
    named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
  }

  mutating func required(_ name: String) throws(TemplateError) -> Value {
    guard let value = optional(name) else {
      throw TemplateError(.evaluation, "\(callee) needs the argument '\(name)'")
    }
    return value
  }

  /// All that is left.
  mutating func rest() -> Arguments {
    defer { (positional, named) = ([], []) }
    return Arguments(positional: Array(positional), named: named)
  }

  func finish() throws(TemplateError) {
    if let name = named.first?.name {
      throw TemplateError(.evaluation, "\(callee) has no argument '\(name)', or it is given twice")
    }
    guard positional.isEmpty else {
      throw TemplateError(.evaluation, "\(callee) gets \(positional.count) arguments too many")
    }
  }
}

extension Parameters {
  private func wrongKind(_ name: String, _ value: Value, _ expected: String) -> TemplateError {
    TemplateError(
      .evaluation, "\(callee): '\(name)' is \(value.kindName), expected \(expected)")
  }

  mutating func requiredText(_ name: String) throws(TemplateError) -> Text {
    let value = try required(name)
    guard let text = value.text else { throw wrongKind(name, value, "a string") }
    return text
  }

  /// nil when it is absent or none.
  mutating func text(_ name: String) throws(TemplateError) -> Text? {
    guard let value = optional(name) else { return nil }
    if case .none = value { return nil }
    guard let text = value.text else { throw wrongKind(name, value, "a string") }
    return text
  }

  /// nil when it is absent or none.
  mutating func integer(_ name: String) throws(TemplateError) -> Int? {
    guard let value = optional(name) else { return nil }
    if case .none = value { return nil }
    guard let integer = value.integer else { throw wrongKind(name, value, "an integer") }
    return integer
  }

  mutating func isTrue(_ name: String) -> Bool { optional(name)?.isTrue ?? false }
}
