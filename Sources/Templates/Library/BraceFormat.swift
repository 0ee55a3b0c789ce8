/// Python's `str.format` with fields like `{}`, `{0}`, `{name}`, and no format behind a colon.
extension Evaluator {
  func formattedByBraces(
    _ format: Text, _ arguments: Arguments
  ) throws(TemplateError) -> Text {
    var result = Text()
    var index = 0
    var automatic = 0
    while index < format.count {
      let scalar = format[index]
      index += 1
      guard scalar == "{" || scalar == "}" else {
        result.append(scalar)
        continue
      }
      if index < format.count, format[index] == scalar {
        result.append(scalar)
        index += 1
        continue
      }
      guard scalar == "{", let end = format.firstIndex(of: "}", from: index) else {
        throw TemplateError(.evaluation, "'format' has a single '\(scalar)'")
      }
      result += try value(ofField: format[index..<end], arguments, &automatic).printed
      try checkLength(result.count)
      index = end + 1
    }
    return result
  }

  private func value(
    ofField field: Text, _ arguments: Arguments, _ automatic: inout Int
  ) throws(TemplateError) -> Value {
    let name = field.string
    if name.isEmpty { automatic += 1 }
    if let index = name.isEmpty ? automatic - 1 : Int(name) {
      guard arguments.positional.indices.contains(index) else {
        throw TemplateError(.evaluation, "'format' has no value \(index)")
      }
      return arguments.positional[index]
    }
    if let value = arguments.named.first(where: { $0.name == name })?.value { return value }
    guard !name.contains(where: { ":!.[{".contains($0) }) else {
      throw TemplateError(
        .unsupported, "the field '{\(name)}' is not supported in 'format', only a name or a number")
    }
    throw TemplateError(.evaluation, "'format' has no value '\(name)'")
  }
}
