extension Filters {
  static let texts: [String: Function] = [
    "string": { (value, _, _) throws(TemplateError) in .string(value.printed) },
    "safe": { (value, _, _) throws(TemplateError) in .string(value.printed.markedSafe()) },
    "escape": { (value, _, _) throws(TemplateError) in .string(value.printed.escaped) },
    "e": { (value, _, _) throws(TemplateError) in .string(value.printed.escaped) },
    "forceescape": { (value, _, _) throws(TemplateError) in
      .string(Text(value.printed.scalars).escaped)
    },
    "upper": { (value, _, _) throws(TemplateError) in .string(value.printed.uppercased) },
    "lower": { (value, _, _) throws(TemplateError) in .string(value.printed.lowercased) },
    "capitalize": { (value, _, _) throws(TemplateError) in .string(value.printed.capitalized) },
    "title": title, "trim": trim, "replace": replace, "indent": indent, "center": center,
    "truncate": truncate, "wordcount": wordCount, "format": format,
  ]

  /// Words begin behind white space, a hyphen or an opening bracket.
  private static func title(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    func separates(_ scalar: Unicode.Scalar) -> Bool {
      scalar.isPythonSpace || ["-", "(", "{", "[", "<"].contains(scalar)
    }
    let text = value.printed
    var result = Text()
    var start = 0
    while start < text.count {
      let isSeparator = separates(text[start])
      let end = text.scalars[start...].firstIndex { separates($0) != isSeparator } ?? text.count
      result += text[start..<start + 1].uppercased + text[start + 1..<end].lowercased
      start = end
    }
    return .string(result)
  }

  private static func trim(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    .string(value.printed.trimmed(of: try parameters.text("chars")))
  }

  private static func replace(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let old = try parameters.required("old").printed
    let new = try parameters.required("new").printed
    let count = try parameters.integer("count")
    return .string(
      try evaluator.replacing(old, with: new, in: value.printed, limit: count))
  }

  private static func indent(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    guard let text = value.text else {
      throw TemplateError(.evaluation, "'indent' is for a string, got \(value.kindName)")
    }
    let indentation: Text =
      switch parameters.optional("width") {
      case .string(let text)?: text
      case let width?:
        try evaluator.spaces(width.integer ?? 4)
      case nil: "    "
      }
    let indentsFirst = parameters.isTrue("first")
    let indentsBlank = parameters.isTrue("blank")
    let lines = (text + "\n").lines()
    try evaluator.checkLength(text.count + lines.count * (indentation.count + 1))
    let indented = lines.enumerated().map { index, line in
      index == 0 || (line.isEmpty && !indentsBlank) ? line : indentation + line
    }
    return .string((indentsFirst ? indentation : "") + indented.joined(by: "\n"))
  }

  private static func center(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let width = try parameters.integer("width") ?? 80
    return .string(try evaluator.padded(value.printed, to: width, .both, with: " "))
  }

  private static func truncate(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let length = try parameters.integer("length") ?? 255
    let cutsWords = parameters.isTrue("killwords")
    let end = try parameters.text("end") ?? "..."
    let leeway = try parameters.integer("leeway") ?? 5
    guard length >= end.count, leeway >= 0 else {
      throw TemplateError(
        .evaluation, "'truncate' wants a length of at least \(end.count) and a leeway of at least 0"
      )
    }
    let text = value.printed
    guard text.count - length > leeway else { return .string(text) }
    let kept = text[0..<length - end.count]
    return .string(
      (cutsWords ? kept : kept.splitFromEnd(on: " ", limit: 1).first ?? kept) + end)
  }

  private static func wordCount(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    .integer(value.printed.scalars.split { !$0.isPythonWord }.count)
  }

  private static func format(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let rest = parameters.rest()
    guard rest.named.isEmpty || rest.positional.isEmpty else {
      throw TemplateError(.evaluation, "'format' takes named arguments or others, not both")
    }
    let values: Value =
      rest.named.isEmpty
      ? .tuple(rest.positional)
      : .dictionary(Table(rest.named.map { (.string($0.name), $0.value) }))
    return .string(try evaluator.formatted(value.printed, values))
  }
}

extension Unicode.Scalar {
  /// What `\w` means in Python.
  fileprivate var isPythonWord: Bool {
    self == "_" || isPythonAlphabetic || properties.numericType != nil
  }
}

extension Evaluator {
  func replacing(
    _ old: Text, with new: Text, in text: Text, limit: Int?
  ) throws(TemplateError) -> Text {
    // Python takes a negative count for all.
    let limit = limit.flatMap { $0 < 0 ? nil : $0 }
    let ranges = text.ranges(of: old, limit: limit)
    let (added, overflow) = ranges.count.multipliedReportingOverflow(by: new.count)
    try checkLength(overflow ? .max : added)
    return text.parts(between: ranges).joined(by: new)
  }

  func spaces(_ count: Int) throws(TemplateError) -> Text {
    try checkLength(count)
    return Text(repeatElement(" ", count: max(count, 0)))
  }

  /// The text with `filler` on sides of it, as wide as `width`.
  ///
  /// - Parameter sides: where the filler goes; to both for a text in the middle.
  func padded(
    _ text: Text, to width: Int, _ sides: Text.Sides, with filler: Unicode.Scalar
  ) throws(TemplateError) -> Text {
    try checkLength(width)
    let missing = max(max(width, 0) - text.count, 0)
    let left =
      switch sides {
      case .left: missing
      case .right: 0
      default: missing / 2 + (missing & width & 1)
      }
    func fill(_ count: Int) -> Text { Text(repeatElement(filler, count: count)) }
    return fill(left) + text + fill(missing - left)
  }
}
