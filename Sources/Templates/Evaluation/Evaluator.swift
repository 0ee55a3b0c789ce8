/// Renders one template once.
///
/// All that a template can reach are the values it is given; every evaluation counts against its
/// limits, so that no template runs without end.
final class Evaluator {
  let limits: TemplateLimits
  /// The date that the template may ask for.
  let date: CalendarDate
  private var stepsLeft: Int
  /// How many statements and expressions are being evaluated inside each other.
  private var depth = 0
  var scope: Scope
  /// The text of the block that is being rendered.
  private(set) var output = Text()
  /// Scopes that macros hold.
  var macroScopes: [Scope] = []

  init(_ variables: [String: Value], date: CalendarDate, limits: TemplateLimits) {
    self.limits = limits
    self.date = date
    stepsLeft = limits.stepCount
    let globals = Scope(in: nil, Global.values.merging(variables) { $1 })
    scope = Scope(in: globals)
  }

  /// The text of a template.
  func render(_ statements: [Statement]) throws(TemplateError) -> String {
    defer { for scope in macroScopes { scope.removeAll() } }
    _ = try run(statements)
    return output.string
  }

  /// The text that statements write, in place of writing it.
  func captured(
    in scope: Scope, _ run: () throws(TemplateError) -> Void
  ) throws(TemplateError) -> Text {
    let outer = (output, self.scope)
    (output, self.scope) = (Text(), scope)
    defer { (output, self.scope) = outer }
    try run()
    return output
  }

  func write(_ text: Text) throws(TemplateError) {
    try checkLength(output.count + text.count)
    try spend(text.count / Self.unitsPerStep)
    output += text
  }
}

// MARK: Limits

extension Evaluator {
  /// Code points or values that can be moved for one step.
  static let unitsPerStep = 64

  func spend(_ steps: Int = 1) throws(TemplateError) {
    stepsLeft -= steps
    guard stepsLeft >= 0 else {
      throw TemplateError(
        .limit, "the template takes more than \(limits.stepCount) steps; does it loop without end?")
    }
  }

  /// Runs something inside what is being evaluated.
  func nested<Result>(
    _ run: () throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    guard depth < limits.depth else {
      throw TemplateError(.limit, "calls and expressions are more than \(limits.depth) deep")
    }
    depth += 1
    defer { depth -= 1 }
    try spend()
    return try run()
  }

  func checkLength(_ count: Int) throws(TemplateError) {
    guard count <= limits.textLength else {
      throw TemplateError(
        .limit, "the template makes a text of more than \(limits.textLength) code points")
    }
  }

  /// Checks and counts what an expression has made.
  func check(_ value: Value) throws(TemplateError) {
    let extent = value.extent
    guard extent.size <= limits.textLength else {
      throw TemplateError(
        .limit, "the template makes a value of more than \(limits.textLength) parts")
    }
    guard extent.depth <= limits.valueDepth else {
      throw TemplateError(.limit, "lists and objects are more than \(limits.valueDepth) deep")
    }
    try spend(extent.size / Self.unitsPerStep)
  }

  /// Counts that all of a value is gone through.
  func spend(on value: Value) throws(TemplateError) {
    try spend(value.extent.size / Self.unitsPerStep)
  }
}
