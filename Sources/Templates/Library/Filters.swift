/// The filters that a template can use, `value|name(arguments)`.
enum Filters {
  typealias Function =
    @Sendable (Value, inout Parameters, Evaluator) throws(TemplateError) -> Value

  static let table: [String: Function] =
    texts
    .merging(sequences) { $1 }.merging(selections) { $1 }.merging(numbers) { $1 }
    .merging(others) { $1 }

  /// Filters of jinja2 that are for HTML, for chance, or for the terminal.
  private static let unsupported: Set<String> = [
    "filesizeformat", "groupby", "pprint", "random", "striptags", "urlencode", "urlize", "wordwrap",
    "xmlattr",
  ]

  static func checkName(_ name: String, at position: TemplatePosition) throws(TemplateError) {
    guard table[name] == nil else { return }
    throw unknown(name).located(at: position)
  }

  static func unknown(_ name: String) -> TemplateError {
    TemplateError(
      .unsupported,
      unsupported.contains(name)
        ? "jinja2's filter '\(name)' is not supported" : "there is no filter '\(name)'")
  }

  private static let others: [String: Function] = [
    "default": standard, "d": standard, "attr": attribute, "tojson": toJSON,
  ]

  private static func standard(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let standard = parameters.optional("default_value") ?? .string("")
    let replacesFalse = parameters.isTrue("boolean")
    return value.isUndefined || (replacesFalse && !value.isTrue) ? standard : value
  }

  /// An attribute, and never an item.
  private static func attribute(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let name = try parameters.requiredText("name").string
    if case .dictionary = value {
      return try Methods.method(name, of: value) ?? .missing(name, of: value)
    }
    return try evaluator.attribute(name, of: value)
  }

  /// As transformers sets it, not as jinja2 has it: nothing is escaped for HTML.
  private static func toJSON(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let isASCII = parameters.isTrue("ensure_ascii")
    let indent = parameters.optional("indent") ?? .none
    let separators = parameters.optional("separators") ?? .none
    let sortsKeys = parameters.isTrue("sort_keys")
    try evaluator.spend(on: value)
    var writer = try JSONWriter(
      isASCII: isASCII, indent: indent, separators: separators, sortsKeys: sortsKeys,
      limit: evaluator.limits.textLength)
    try writer.write(value)
    return .string(writer.text)
  }
}
