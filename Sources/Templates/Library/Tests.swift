/// The tests that a template can use, `value is name(arguments)`.
enum Tests {
  typealias Function =
    @Sendable (Value, inout Parameters, Evaluator) throws(TemplateError) -> Bool

  static let table: [String: Function] = kinds.merging(comparisons) { $1 }

  static func checkName(_ name: String, at position: TemplatePosition) throws(TemplateError) {
    guard table[name] == nil else { return }
    throw unknown(name).located(at: position)
  }

  static func unknown(_ name: String) -> TemplateError {
    TemplateError(.unsupported, "there is no test '\(name)'")
  }

  private static let kinds: [String: Function] = [
    "defined": kind { !$0.isUndefined },
    "undefined": kind(\.isUndefined),
    "none": kind { Value.isNone($0) },
    "boolean": kind(\.isBoolean),
    "true": kind { $0.isBoolean && $0.isTrue },
    "false": kind { $0.isBoolean && !$0.isTrue },
    "integer": kind { $0.integer != nil && !$0.isBoolean },
    "float": kind { $0.float != nil && $0.integer == nil },
    "number": kind { $0.float != nil },
    "string": kind { $0.text != nil },
    "mapping": kind { if case .dictionary = $0 { true } else { false } },
    "sequence": kind(\.isSequence),
    "iterable": kind(\.isIterable),
    "callable": kind(\.isCallable),
    "lower": kind(\.printed.isLowercase),
    "upper": kind(\.printed.isUppercase),
    "escaped": kind { $0.text?.isSafe ?? false },
  ]

  private static func kind(_ test: @escaping @Sendable (Value) -> Bool) -> Function {
    { (value, _, _) throws(TemplateError) in test(value) }
  }

  private static let comparisons: [String: Function] = [
    "odd": { (value, _, evaluator) throws(TemplateError) in
      try evaluator.arithmetic(.remainder, value, .integer(2)) == .integer(1)
    },
    "even": { (value, _, evaluator) throws(TemplateError) in
      try evaluator.arithmetic(.remainder, value, .integer(2)) == .integer(0)
    },
    "divisibleby": { (value, parameters, evaluator) throws(TemplateError) in
      let divisor = try parameters.required("num")
      return try evaluator.arithmetic(.remainder, value, divisor) == .integer(0)
    },
    "sameas": { (value, parameters, _) throws(TemplateError) in
      value.isSame(as: try parameters.required("other"))
    },
    "filter": { (value, _, _) throws(TemplateError) in
      value.text.map { Filters.table[$0.string] != nil } ?? false
    },
    "test": { (value, _, _) throws(TemplateError) in
      value.text.map { Tests.table[$0.string] != nil } ?? false
    },
    "in": comparison(.isIn),
    "==": comparison(.equal), "eq": comparison(.equal), "equalto": comparison(.equal),
    "!=": comparison(.notEqual), "ne": comparison(.notEqual),
    ">": comparison(.greater), "gt": comparison(.greater), "greaterthan": comparison(.greater),
    ">=": comparison(.greaterOrEqual), "ge": comparison(.greaterOrEqual),
    "<": comparison(.less), "lt": comparison(.less), "lessthan": comparison(.less),
    "<=": comparison(.lessOrEqual), "le": comparison(.lessOrEqual),
  ]

  private static func comparison(_ operation: ComparisonOperator) -> Function {
    { (value, parameters, evaluator) throws(TemplateError) in
      try evaluator.compare(value, operation, try parameters.required("other"))
    }
  }
}

extension Value {
  fileprivate var isBoolean: Bool { if case .boolean = self { true } else { false } }

  /// Whether Python knows the length, and items can be asked for.
  fileprivate var isSequence: Bool {
    switch self {
    case .undefined, .string, .dictionary: true
    case .sequence(let items): items.isIndexed
    default: false
    }
  }

  fileprivate var isIterable: Bool {
    switch self {
    case .undefined, .string, .dictionary, .sequence, .iterator, .loop: true
    default: false
    }
  }

  fileprivate var isCallable: Bool {
    switch self {
    case .undefined, .callable, .loop: true
    default: false
    }
  }

  /// Python's `is`, for the values of which there is one only; equal ones that are small are the
  /// same there too.
  fileprivate func isSame(as other: Value) -> Bool {
    switch (self, other) {
    case (.none, .none): true
    case (.boolean(let a), .boolean(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.string(let a), .string(let b)): a == b
    case (.namespace(let a), .namespace(let b)): a === b
    case (.iterator(let a), .iterator(let b)): a === b
    default: false
    }
  }
}
