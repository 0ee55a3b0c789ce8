/// The functions that a template can call.
enum Global: String, CaseIterable {
  case range, namespace, dict
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
  case cycler, joiner, lipsum

  /// What templates see by name before they are given anything.
  static let names = allCases.map(\.rawValue)

  static var values: [String: Value] {
    Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, .callable(.global($0))) })
  }

  func call(
    _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    switch self {
    case .range: return try Self.range(&parameters, evaluator)
    case .namespace:
      let table = try Self.table(&parameters, evaluator)
      for key in table.keys { try Self.checkNamespaceAttribute(key.printed.string) }
      return .namespace(Namespace(table))
    case .dict: return .dictionary(try Self.table(&parameters, evaluator))
    case .raiseException:
      throw TemplateError(.raised, try parameters.required("message").printed.string)
    case .strftimeNow:
      let format = try parameters.requiredText("format")
      try evaluator.checkLength(format.count)
      return .string(try evaluator.date.formatted(format.string))
    case .cycler, .joiner, .lipsum:
      throw TemplateError(.unsupported, "jinja2's function '\(rawValue)' is not supported")
    }
  }

  /// transformers refuses these, so that Python's insides stay out of reach.
  static func checkNamespaceAttribute(_ name: String) throws(TemplateError) {
    guard name.hasPrefix("_") else { return }
    throw TemplateError(
      .evaluation, "a namespace cannot hold '\(name)', which begins with an underscore")
  }

  /// Slices of longer ranges would have bounds beyond 64 bits.
  private static let largestBound = 1 << 40

  private static func range(
    _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    guard let first = try parameters.integer("start") else {
      throw TemplateError(.evaluation, "'range' needs a number")
    }
    let second = try parameters.integer("stop")
    let step = try parameters.integer("step") ?? 1
    let (start, stop) = second.map { (first, $0) } ?? (0, first)
    guard step != 0 else { throw TemplateError(.evaluation, "the step of 'range' is 0") }
    guard [start, stop, step].allSatisfy({ $0.magnitude <= largestBound }) else {
      throw TemplateError(.unsupported, "'range' is for numbers up to \(largestBound)")
    }
    let limit = evaluator.limits.rangeLength
    let numbers = stride(from: start, to: stop, by: step).prefix(limit + 1)
    let elements = numbers.map { Value.integer($0) }
    guard elements.count <= limit else {
      throw TemplateError(.limit, "'range' gives at most \(limit) numbers")
    }
    return .sequence(Items(.range(start: start, stop: stop, step: step), elements))
  }

  /// What `dict()` makes of its arguments: a dictionary or pairs, and names.
  private static func table(
    _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Table {
    let arguments = parameters.rest()
    var table = Table()
    guard arguments.positional.count <= 1 else {
      throw TemplateError(.evaluation, "\(parameters.callee) takes one value beside names")
    }
    if case .dictionary(let given)? = arguments.positional.first {
      table = given
    } else if let pairs = arguments.positional.first {
      for pair in try evaluator.elements(of: pairs) {
        let parts = try evaluator.elements(of: pair)
        guard parts.count == 2 else {
          throw TemplateError(
            .evaluation, "\(parameters.callee) takes pairs, got \(parts.count) values")
        }
        table[try evaluator.hashable(parts[0])] = parts[1]
      }
    }
    for (name, value) in arguments.named { table[name] = value }
    return table
  }
}
