/// Arithmetic and comparisons, as Python does them.
extension Evaluator {
  func arithmetic(
    _ operation: ArithmeticOperator, _ left: Value, _ right: Value
  ) throws(TemplateError) -> Value {
    for case .undefined(let undefined) in [left, right] {
      throw TemplateError(.evaluation, undefined.message)
    }
    if let a = left.integer, let b = right.integer { return try integers(operation, a, b) }
    if let a = left.float, let b = right.float { return .float(try floats(operation, a, b)) }
    switch (operation, left, right) {
    case (.add, .string(let a), .string(let b)):
      guard a.isSafe || b.isSafe else { return .string(a + b) }
      return .string((a.escaped + b.escaped).markedSafe())
    case (.remainder, .string(let format), _):
      return .string(try formatted(format, right))
    case (.add, .sequence(let a), .sequence(let b)):
      if case .list = a.kind, case .list = b.kind { return .list(a.elements + b.elements) }
      if case .tuple = a.kind, case .tuple = b.kind { return .tuple(a.elements + b.elements) }
    case (.multiply, _, _):
      if let count = right.integer, let result = try repeated(left, count) { return result }
      if let count = left.integer, let result = try repeated(right, count) { return result }
    default: break
    }
    throw TemplateError(
      .evaluation,
      "'\(operation.rawValue)' is not defined for \(left.kindName) and \(right.kindName)")
  }

  private func integers(
    _ operation: ArithmeticOperator, _ a: Int, _ b: Int
  ) throws(TemplateError) -> Value {
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = a.addingReportingOverflow(b)
    case .subtract: result = a.subtractingReportingOverflow(b)
    case .multiply: result = a.multipliedReportingOverflow(by: b)
    case .divide: return .float(try floats(operation, Double(a), Double(b)))
    case .floorDivide: result = try flooredDivision(a, b)
    case .remainder:
      guard b != -1 else { return .integer(0) }
      result = (a - (try flooredDivision(a, b)).partialValue * b, false)
    case .power:
      guard b >= 0 else { return .float(try floats(operation, Double(a), Double(b))) }
      result = power(a, b)
    }
    guard !result.overflow else {
      throw TemplateError(
        .unsupported, "\(a) \(operation.rawValue) \(b) does not fit 64 bits")
    }
    return .integer(result.partialValue)
  }

  private func flooredDivision(
    _ a: Int, _ b: Int
  ) throws(TemplateError) -> (partialValue: Int, overflow: Bool) {
    guard b != 0 else { throw TemplateError(.evaluation, "division by zero") }
    let quotient = a.dividedReportingOverflow(by: b)
    guard !quotient.overflow else { return quotient }
    let isRoundedUp = a % b != 0 && (a < 0) != (b < 0)
    return (quotient.partialValue - (isRoundedUp ? 1 : 0), false)
  }

  private func power(_ base: Int, _ exponent: Int) -> (partialValue: Int, overflow: Bool) {
    // Only these have high powers.
    if (-1...1).contains(base) {
      return (exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base, false)
    }
    guard exponent < 64 else { return (0, true) }
    var result = 1
    for _ in 0..<exponent {
      let product = result.multipliedReportingOverflow(by: base)
      guard !product.overflow else { return product }
      result = product.partialValue
    }
    return (result, false)
  }

  private func floats(
    _ operation: ArithmeticOperator, _ a: Double, _ b: Double
  ) throws(TemplateError) -> Double {
    func nonZero(_ divisor: Double) throws(TemplateError) -> Double {
      guard divisor != 0 else { throw TemplateError(.evaluation, "division by zero") }
      return divisor
    }
    switch operation {
    case .add: return a + b
    case .subtract: return a - b
    case .multiply: return a * b
    case .divide: return a / (try nonZero(b))
    case .floorDivide: return (a - pythonRemainder(a, try nonZero(b))) / b
    case .remainder: return pythonRemainder(a, try nonZero(b))
    case .power: return try floatPower(a, b)
    }
  }

  private func pythonRemainder(_ a: Double, _ b: Double) -> Double {
    let remainder = a.truncatingRemainder(dividingBy: b)
    guard remainder != 0 else { return b < 0 ? -0.0 : 0 }
    return (remainder < 0) == (b < 0) ? remainder : remainder + b
  }

  func negative(_ value: Value) throws(TemplateError) -> Value {
    if let integer = value.integer {
      return try arithmetic(.subtract, .integer(0), .integer(integer))
    }
    if case .float(let float) = value { return .float(-float) }
    throw signError("-", value)
  }

  func positive(_ value: Value) throws(TemplateError) -> Value {
    if let integer = value.integer { return .integer(integer) }
    if case .float = value { return value }
    throw signError("+", value)
  }

  private func signError(_ sign: String, _ value: Value) -> TemplateError {
    if case .undefined(let undefined) = value {
      return TemplateError(.evaluation, undefined.message)
    }
    return TemplateError(.evaluation, "'\(sign)' is not defined for \(value.kindName)")
  }

  /// A text or list several times over; nil for any other value.
  private func repeated(_ value: Value, _ count: Int) throws(TemplateError) -> Value? {
    func checked(_ length: Int) throws(TemplateError) -> Int {
      let product = length.multipliedReportingOverflow(by: max(count, 0))
      try checkLength(product.overflow ? .max : product.partialValue)
      return length == 0 ? 0 : max(count, 0)
    }
    switch value {
    case .string(let text):
      return .string(
        Text(repeatElement(text.scalars, count: try checked(text.count)).joined()))
    case .sequence(let items):
      let elements = Array(
        repeatElement(items.elements, count: try checked(items.elements.count)).joined())
      switch items.kind {
      case .list: return .list(elements)
      case .tuple: return .tuple(elements)
      default: return nil
      }
    default: return nil
    }
  }
}

// MARK: Comparisons

extension Evaluator {
  func compare(
    _ left: Value, _ operation: ComparisonOperator, _ right: Value
  ) throws(TemplateError) -> Bool {
    try spend(min(left.extent.size, right.extent.size) / Self.unitsPerStep)
    return switch operation {
    case .equal: left == right
    case .notEqual: left != right
    case .isIn: try contains(right, left)
    case .isNotIn: !(try contains(right, left))
    case .less: try isLess(left, right, "<")
    case .lessOrEqual: try isLess(left, right, "<=") || left == right
    case .greater: try isLess(right, left, ">")
    case .greaterOrEqual: try isLess(right, left, ">=") || left == right
    }
  }

  /// Python's `<`.
  func isLess(
    _ left: Value, _ right: Value, _ symbol: String = "<"
  ) throws(TemplateError) -> Bool {
    if let a = left.integer, let b = right.integer { return a < b }
    if let a = left.float, let b = right.float { return a < b }
    switch (left, right) {
    case (.undefined(let undefined), _), (_, .undefined(let undefined)):
      throw TemplateError(.evaluation, undefined.message)
    case (.string(let a), .string(let b)): return a < b
    case (.sequence(let a), .sequence(let b)) where a.isOrdered(with: b):
      for (a, b) in zip(a.elements, b.elements) where a != b { return try isLess(a, b, symbol) }
      return a.elements.count < b.elements.count
    default:
      throw TemplateError(
        .evaluation, "'\(symbol)' is not defined for \(left.kindName) and \(right.kindName)")
    }
  }

  /// Python's `element in container`.
  func contains(_ container: Value, _ element: Value) throws(TemplateError) -> Bool {
    switch container {
    case .string(let text):
      guard let part = element.text else {
        if case .undefined(let undefined) = element {
          throw TemplateError(.evaluation, undefined.message)
        }
        throw TemplateError(
          .evaluation, "'in' looks for \(element.kindName) in a string, expected a string")
      }
      try spend(on: container)
      return text.contains(part)
    case .dictionary(let table): return table[try hashable(element)] != nil
    default:
      try spend(on: container)
      let elements = try iterator(over: container)
      while let next = elements.next() { if next == element { return true } }
      return false
    }
  }
}

extension Items {
  fileprivate func isOrdered(with other: Items) -> Bool {
    switch (kind, other.kind) {
    case (.list, .list), (.tuple, .tuple): true
    default: false
    }
  }
}

extension Value {
  /// A number as a float; nil for any other value.
  var float: Double? {
    if case .float(let value) = self { value } else { integer.map(Double.init) }
  }
}
