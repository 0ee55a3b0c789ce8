/// Filters that take the name of another filter, or of a test.
///
/// What is false has no elements for them, whatever it is: `none` for example.
extension Filters {
  static let selections: [String: Function] = [
    "map": map,
    "select": { (value, parameters, evaluator) throws(TemplateError) in
      try select(value, &parameters, evaluator, wanted: true, byAttribute: false)
    },
    "reject": { (value, parameters, evaluator) throws(TemplateError) in
      try select(value, &parameters, evaluator, wanted: false, byAttribute: false)
    },
    "selectattr": { (value, parameters, evaluator) throws(TemplateError) in
      try select(value, &parameters, evaluator, wanted: true, byAttribute: true)
    },
    "rejectattr": { (value, parameters, evaluator) throws(TemplateError) in
      try select(value, &parameters, evaluator, wanted: false, byAttribute: true)
    },
  ]

  private static func map(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    guard value.isTrue else {
      _ = parameters.rest()
      return .iterator(ValueIterator([]))
    }
    let elements = try evaluator.elements(of: value)
    if let path = try MemberPath(parameters.takeNamed("attribute")) {
      let standard = parameters.takeNamed("default").flatMap { Value.isNone($0) ? nil : $0 }
      return .iterator(
        ValueIterator(try path.values(of: elements, standard: standard, evaluator)))
    }
    let name = try parameters.requiredText("filter").string
    let arguments = parameters.rest()
    var result: [Value] = []
    for element in elements {
      result.append(try evaluator.apply(filter: name, to: element, arguments))
    }
    return .iterator(ValueIterator(result))
  }

  /// The elements that pass a test, or that are true when none is named.
  private static func select(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator, wanted: Bool,
    byAttribute: Bool
  ) throws(TemplateError) -> Value {
    guard value.isTrue else {
      _ = parameters.rest()
      return .iterator(ValueIterator([]))
    }
    let path = byAttribute ? try MemberPath(try parameters.required("attribute")) : nil
    let test = try parameters.text("test")?.string
    let arguments = parameters.rest()
    var result: [Value] = []
    for element in try evaluator.elements(of: value) {
      let value = try path?.value(of: element, evaluator) ?? element
      let passes =
        if let test { try evaluator.apply(test: test, to: value, arguments) } else { value.isTrue }
      if passes == wanted { result.append(element) }
    }
    return .iterator(ValueIterator(result))
  }
}
