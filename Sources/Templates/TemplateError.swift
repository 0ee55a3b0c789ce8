public import Files

/// A template that cannot be read, or that cannot be rendered with what it is given.
///
/// The description is one sentence that begins with the template's name and, where there is one,
/// the place in it: `chat_template.jinja, line 3, column 12: there is no filter 'frobnicate'`.
public struct TemplateError: FlareError, Hashable {
  public enum Code: Sendable {
    /// The text is no template.
    case syntax
    /// A tag, filter, test, method or function that is not there.
    case unsupported
    /// What the template does cannot be done with these values.
    case evaluation
    /// The template itself refuses its input, with `raise_exception`.
    case raised
    /// The template wants more time or room than it may have.
    case limit
  }

  public let code: Code
  /// What is wrong, without the place.
  public let message: String
  public private(set) var position: TemplatePosition?
  /// How the template is called.
  public private(set) var template: String?

  init(_ code: Code, _ message: String, at position: TemplatePosition? = nil) {
    self.code = code
    self.message = message
    self.position = position
  }

  /// The same error with a place, unless it has one.
  func located(at position: TemplatePosition) -> TemplateError {
    guard self.position == nil else { return self }
    var error = self
    error.position = position
    return error
  }

  /// The same error with the name of the template.
  func located(in template: String) -> TemplateError {
    var error = self
    error.template = template
    return error
  }

  public var kind: FailureKind { .badInput }

  public var description: String {
    let place = [template, position?.description].compactMap(\.self).joined(separator: ", ")
    let text = code == .raised ? "the template refuses the conversation: \(message)" : message
    return place.isEmpty ? text : "\(place): \(text)"
  }
}

/// A place in a template, counted from 1.
public struct TemplatePosition: Sendable, Hashable, CustomStringConvertible {
  public let line: Int
  public let column: Int

  public var description: String { "line \(line), column \(column)" }
}
