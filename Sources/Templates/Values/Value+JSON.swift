import JSON

extension Value {
  /// What a JSON document is in a template.
  init(_ json: JSONValue) {
    self =
      switch json {
      case .null: .none
      case .boolean(let value): .boolean(value)
      case .integer(let value): .integer(value)
      case .number(let value): .float(value)
      case .string(let value): .string(value)
      case .array(let elements): .list(elements.map(Value.init))
      case .object(let members):
        .dictionary(Table(members.map { (.string($0.key), Value($0.value)) }))
      }
  }
}
