/// The methods that values have in a template.
enum Methods {
  /// The method of that name; nil when the value has none.
  ///
  /// - Throws: `TemplateError` for one that Python has and Flare has not.
  static func method(_ name: String, of value: Value) throws(TemplateError) -> Value? {
    let (known, changing, missing): (Set<String>, Set<String>, Set<String>) =
      switch value {
      case .string: (Self.texts, [], Self.missingTexts)
      case .dictionary:
        (
          ["get", "items", "keys", "values", "copy"],
          ["clear", "pop", "popitem", "setdefault", "update"], ["fromkeys"]
        )
      case .sequence(let items) where items.isIndexed:
        if case .list = items.kind {
          (
            ["index", "count", "copy"],
            ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"], []
          )
        } else {
          (["index", "count"], [], ["start", "stop", "step"])
        }
      case .sequence: ([], [], ["isdisjoint", "mapping"])
      case .boolean, .integer, .float: ([], [], Self.missingNumbers)
      default: ([], [], [])
      }
    if known.contains(name) { return .callable(.method(name, of: value)) }
    if changing.contains(name) {
      return .undefined("'\(name)' would change \(value.kindName), which a template may not")
    }
    guard !missing.contains(name) else {
      throw TemplateError(
        .unsupported, "Python's '\(name)' of \(value.kindName) is not supported")
    }
    return nil
  }

  private static let missingTexts: Set<String> = [
    "casefold", "encode", "expandtabs", "format_map", "isidentifier", "isprintable", "maketrans",
    "translate",
  ]

  private static let missingNumbers: Set<String> = [
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes",
    "fromhex", "hex", "imag", "is_integer", "numerator", "real", "to_bytes",
  ]

  static func call(
    _ name: String, of value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    switch value {
    case .string(let text):
      try evaluator.spend(on: value)
      return try call(name, of: text, &parameters, evaluator)
    case .dictionary(let table): return try call(name, of: table, &parameters, evaluator)
    case .sequence(let items): return try call(name, of: items, &parameters, evaluator)
    case .loop(let loop):
      let values = parameters.rest().positional
      if name == "changed" { return .boolean(loop.changed(values)) }
      guard !values.isEmpty else {
        throw TemplateError(.evaluation, "'loop.cycle' needs values to choose from")
      }
      return values[loop.index0 % values.count]
    case .callable(.global(.dict)):
      let keys = try evaluator.elements(of: try parameters.required("iterable"))
      let value = parameters.optional("value") ?? .none
      var table = Table()
      for key in keys { table[try evaluator.hashable(key)] = value }
      return .dictionary(table)
    default: preconditionFailure("Only values with methods give methods")
    }
  }

  private static func call(
    _ name: String, of table: Table, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    switch name {
    case "get":
      let key = try evaluator.hashable(try parameters.required("key"))
      let standard = parameters.optional("default") ?? .none
      return table[key] ?? standard
    case "items": return .sequence(Items(.items, table.items))
    case "keys": return .sequence(Items(.keys, table.keys))
    case "values": return .sequence(Items(.values, table.values))
    default: return .dictionary(table)
    }
  }

  private static func call(
    _ name: String, of items: Items, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    guard name != "copy" else { return .sequence(items) }
    let value = try parameters.required("value")
    try evaluator.spend(on: .sequence(items))
    if name == "count" { return .integer(items.elements.count { $0 == value }) }
    guard let index = items.elements.firstIndex(of: value) else {
      throw TemplateError(.evaluation, "'index' finds no such element")
    }
    return .integer(index)
  }
}
