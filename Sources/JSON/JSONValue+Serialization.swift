extension JSONValue {
  /// The value as JSON text; the same value always gives the same bytes.
  ///
  /// - Parameter isIndented: two spaces per level and one member a line, for people; otherwise
  ///   no white space at all.
  public func serialized(isIndented: Bool = false) -> String {
    var text = ""
    write(to: &text, indentation: isIndented ? 0 : nil)
    return text
  }

  private func write(to text: inout String, indentation: Int?) {
    switch self {
    case .null: text += "null"
    case .boolean(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .number(let value):
      precondition(value.isFinite, "JSON has no NaN or infinity")
      text += "\(value)"
    case .string(let value): Self.writeQuoted(value, to: &text)
    case .array(let elements):
      Self.writeList(elements, between: "[", "]", to: &text, indentation) { element, text, inner in
        element.write(to: &text, indentation: inner)
      }
    case .object(let members):
      Self.writeList(members, between: "{", "}", to: &text, indentation) {
        member, text, inner in
        Self.writeQuoted(member.key, to: &text)
        text += inner == nil ? ":" : ": "
        member.value.write(to: &text, indentation: inner)
      }
    }
  }

  private static func writeList<Elements: Collection>(
    _ elements: Elements, between open: String, _ close: String, to text: inout String,
    _ indentation: Int?, writeElement: (Elements.Element, inout String, Int?) -> Void
  ) {
    let inner = indentation.map { $0 + 1 }
    func breakLine(_ level: Int?) {
      if let level { text += "\n" + String(repeating: "  ", count: level) }
    }
    text += open
    for (position, element) in elements.enumerated() {
      if position > 0 { text += "," }
      breakLine(inner)
      writeElement(element, &text, inner)
    }
    if !elements.isEmpty { breakLine(indentation) }
    text += close
  }

  private static func writeQuoted(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
