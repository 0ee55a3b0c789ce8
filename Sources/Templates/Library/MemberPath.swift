/// Where a filter finds what it works on in each element: `"function.name"`, `0`.
struct MemberPath {
  private let keys: [Value]

  private init(keys: [Value]) { self.keys = keys }

  /// - Returns: nil for no path, which means the element itself.
  init?(_ value: Value?) throws(TemplateError) {
    switch value {
    case nil, .some(.none): return nil
    case .string(let text)?: self.init(text)
    case .integer(let index)?: self.init(keys: [.integer(index)])
    case let other?:
      throw TemplateError(
        .evaluation, "an attribute is \(other.kindName), expected a name or a number")
    }
  }

  private init(_ text: Text) {
    self.init(
      keys: text.split(on: ".", limit: nil).map { part in
        Int(part.string).map { .integer($0) } ?? .string(part)
      })
  }

  /// The paths of a list like `"role,name"`; nil in it stands for the element itself.
  static func several(_ value: Value?) throws(TemplateError) -> [MemberPath?] {
    guard case .string(let text)? = value else { return [try MemberPath(value)] }
    return text.split(on: ",", limit: nil).map { MemberPath($0) }
  }

  /// - Parameter standard: what stands for a part that is undefined.
  func value(
    of element: Value, standard: Value? = nil, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    var value = element
    for key in keys {
      try evaluator.spend()
      value = try evaluator.item(key, of: value)
      if let standard, value.isUndefined { value = standard }
    }
    return value
  }

  func values(
    of elements: [Value], standard: Value? = nil, _ evaluator: Evaluator
  ) throws(TemplateError) -> [Value] {
    var values: [Value] = []
    for element in elements {
      values.append(try value(of: element, standard: standard, evaluator))
    }
    return values
  }
}
