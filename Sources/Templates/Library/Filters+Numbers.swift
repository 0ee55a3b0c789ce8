extension Filters {
  static let numbers: [String: Function] = [
    "int": integer, "float": float, "abs": absolute, "round": round, "sum": sum,
    "min": { (value, parameters, evaluator) throws(TemplateError) in
      try extreme(value, &parameters, evaluator) { (a, b) throws(TemplateError) in
        try evaluator.isLess(a, b)
      }
    },
    "max": { (value, parameters, evaluator) throws(TemplateError) in
      try extreme(value, &parameters, evaluator) { (a, b) throws(TemplateError) in
        try evaluator.isLess(b, a)
      }
    },
  ]

  private static func integer(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let standard = parameters.optional("default") ?? .integer(0)
    let base = try parameters.integer("base") ?? 10
    guard base == 0 || 2...36 ~= base else {
      throw TemplateError(.evaluation, "the base of 'int' is \(base), expected 0 or 2 to 36")
    }
    switch value {
    case .undefined(let undefined): throw TemplateError(.evaluation, undefined.message)
    case .string(let text):
      if let integer = pythonInteger(text, base: base) { return .integer(integer) }
      guard let float = pythonFloat(text), float.isFinite else { return standard }
      return try truncated(float)
    case .float(let float): return try truncated(float)
    default: return value.integer.map { .integer($0) } ?? standard
    }
  }

  private static func truncated(_ float: Double) throws(TemplateError) -> Value {
    guard let integer = Int(exactly: float.rounded(.towardZero)) else {
      throw TemplateError(.unsupported, "\(pythonText(of: float)) does not fit 64 bits")
    }
    return .integer(integer)
  }

  private static func float(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let standard = parameters.optional("default") ?? .float(0)
    switch value {
    case .undefined(let undefined): throw TemplateError(.evaluation, undefined.message)
    case .string(let text): return pythonFloat(text).map { .float($0) } ?? standard
    default: return value.float.map { .float($0) } ?? standard
    }
  }

  private static func absolute(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    if case .float(let float) = value { return .float(float.magnitude) }
    guard let integer = value.integer else {
      throw TemplateError(.evaluation, "'abs' is for a number, got \(value.kindName)")
    }
    return integer < 0 ? try evaluator.negative(value) : .integer(integer)
  }

  private static func round(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let precision = try parameters.integer("precision") ?? 0
    let method = try parameters.text("method")?.string ?? "common"
    guard let number = value.float else {
      throw TemplateError(.evaluation, "'round' is for a number, got \(value.kindName)")
    }
    guard 0...20 ~= precision else {
      throw TemplateError(
        .unsupported, "the precision of 'round' is \(precision), expected 0 to 20")
    }
    let factor = (0..<precision).reduce(1.0) { factor, _ in factor * 10 }
    switch method {
    case "common":
      if let integer = value.integer { return .integer(integer) }
      return .float(Double(fixedText(of: number, decimals: precision)) ?? number)
    case "ceil": return .float((number * factor).rounded(.up) / factor)
    case "floor": return .float((number * factor).rounded(.down) / factor)
    default:
      throw TemplateError(.evaluation, "the method of 'round' is common, ceil or floor")
    }
  }

  private static func sum(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let path = try MemberPath(parameters.optional("attribute"))
    var sum = parameters.optional("start") ?? .integer(0)
    guard sum.text == nil else {
      throw TemplateError(.evaluation, "'sum' is for numbers; use 'join' for strings")
    }
    for element in try evaluator.elements(of: value) {
      let value = try path?.value(of: element, evaluator) ?? element
      sum = try evaluator.arithmetic(.add, sum, value)
      try evaluator.check(sum)
    }
    return sum
  }

  /// - Parameter isBetter: whether the first replaces the second.
  private static func extreme(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator,
    isBetter: (Value, Value) throws(TemplateError) -> Bool
  ) throws(TemplateError) -> Value {
    let isCaseSensitive = parameters.isTrue("case_sensitive")
    let path = try MemberPath(parameters.optional("attribute"))
    var best: (element: Value, key: Value)?
    for element in try evaluator.elements(of: value) {
      try evaluator.spend()
      let value = try path?.value(of: element, evaluator) ?? element
      let key = isCaseSensitive ? value : value.withoutCase
      if let current = best, !(try isBetter(key, current.key)) { continue }
      best = (element, key)
    }
    return best?.element
      ?? .undefined("there is no such item, the sequence is empty")
  }
}
