public import JSON

/// A template in the part of Jinja that chat templates are written in.
///
/// It renders the bytes that jinja2 does with the settings of transformers, and sees nothing but the
/// values it is given: no files, no other templates, no clock but the caller's. What is supported is
/// in `formats/chat-templates.md`; anything else is refused by name, with its line and column,
/// before anything is rendered where that can be.
public struct Template: Sendable {
  /// What messages call it, a file's name for example.
  public let name: String
  /// The text that the template was read from.
  public let text: String
  private let statements: [Statement]
  private let limits: TemplateLimits

  /// Reads a template.
  ///
  /// - Throws: `TemplateError` with the place, when the text is no template or uses what is not
  ///   there.
  public init(
    _ text: String, name: String = "template", limits: TemplateLimits = TemplateLimits()
  ) throws(TemplateError) {
    self.name = name
    self.text = text
    self.limits = limits
    do {
      statements = try Parser.statements(of: text, limits: limits)
    } catch {
      throw error.located(in: name)
    }
  }

  /// The text that the template makes of `variables`.
  ///
  /// - Parameters:
  ///   - variables: what the template sees by name.
  ///   - date: what `strftime_now` tells.
  /// - Throws: `TemplateError`: what the template says itself with `raise_exception`, a value that
  ///   is not what the template takes it for, or a limit that is passed.
  public func render(
    _ variables: JSONObject, date: CalendarDate = .now
  ) throws(TemplateError) -> String {
    let values = variables.map { ($0.key, Value($0.value)) }
    let evaluator = Evaluator(
      Dictionary(values) { $1 }, date: date, limits: limits)
    do {
      return try evaluator.render(statements)
    } catch {
      throw error.located(in: name)
    }
  }
}
