/// Writes values as Python's `json.dumps` does.
struct JSONWriter {
  private(set) var text = Text()
  private let isASCII: Bool
  /// nil to write all in one line.
  private let indentation: Text?
  private let itemSeparator: Text
  private let keySeparator: Text
  private let sortsKeys: Bool
  private let limit: Int

  init(
    isASCII: Bool, indent: Value, separators: Value, sortsKeys: Bool, limit: Int
  ) throws(TemplateError) {
    self.isASCII = isASCII
    self.sortsKeys = sortsKeys
    self.limit = limit
    switch indent {
    case .none: indentation = nil
    case .string(let text): indentation = text
    default:
      guard let width = indent.integer, width <= 1000 else {
        throw TemplateError(
          .evaluation, "'tojson': 'indent' is \(indent.kindName), expected a number up to 1000")
      }
      indentation = Text(repeatElement(" ", count: max(width, 0)))
    }
    switch separators {
    case .none:
      itemSeparator = indentation == nil ? ", " : ","
      keySeparator = ": "
    case .sequence(let items):
      let texts = items.elements.compactMap(\.text)
      guard texts.count == 2, items.elements.count == 2 else { fallthrough }
      (itemSeparator, keySeparator) = (texts[0], texts[1])
    default:
      throw TemplateError(.evaluation, "'tojson': 'separators' are not two strings")
    }
  }

  mutating func write(_ value: Value) throws(TemplateError) {
    try write(value, level: 0)
  }

  private mutating func write(_ value: Value, level: Int) throws(TemplateError) {
    switch value {
    case .string(let string): writeQuoted(string)
    case .sequence(let items):
      switch items.kind {
      case .list, .tuple: break
      default: throw notJSON(value)
      }
      try writeList(items.elements, between: "[", "]", level) {
        (writer, element) throws(TemplateError) in
        try writer.write(element, level: level + 1)
      }
    case .dictionary(let table):
      try writeList(try members(of: table), between: "{", "}", level) {
        (writer, member) throws(TemplateError) in
        writer.writeQuoted(member.key)
        writer.text += writer.keySeparator
        try writer.write(member.value, level: level + 1)
      }
    default:
      guard let scalar = scalar(value) else { throw notJSON(value) }
      text += scalar
    }
    guard text.count <= limit else {
      throw TemplateError(.limit, "'tojson' makes a text of more than \(limit) code points")
    }
  }

  private func notJSON(_ value: Value) -> TemplateError {
    if case .undefined(let undefined) = value {
      return TemplateError(
        .evaluation, "'tojson' of a value that is not there: \(undefined.message)")
    }
    return TemplateError(.evaluation, "'tojson' cannot write \(value.kindName)")
  }

  /// A value without parts; nil for any other.
  private func scalar(_ value: Value) -> Text? {
    switch value {
    case .none: "null"
    case .boolean(let value): value ? "true" : "false"
    case .integer(let value): Text("\(value)")
    case .float(let value):
      value.isFinite
        ? Text(pythonText(of: value)) : value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    default: nil
    }
  }

  private func members(of table: Table) throws(TemplateError) -> [(key: Text, value: Value)] {
    var members: [(key: Text, value: Value)] = []
    for (key, value) in table.pairs {
      guard let text = key.text ?? scalar(key) else {
        throw TemplateError(.evaluation, "'tojson': \(key.kindName) cannot be a key")
      }
      members.append((text, value))
    }
    return sortsKeys ? members.sorted { $0.key < $1.key } : members
  }

  private mutating func writeList<Element>(
    _ elements: [Element], between open: Text, _ close: Text, _ level: Int,
    _ writeElement: (inout JSONWriter, Element) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += itemSeparator }
      breakLine(level + 1)
      try writeElement(&self, element)
    }
    if !elements.isEmpty { breakLine(level) }
    text += close
  }

  private mutating func breakLine(_ level: Int) {
    guard let indentation else { return }
    text += "\n"
    for _ in 0..<level { text += indentation }
  }

  private mutating func writeQuoted(_ string: Text) {
    text.append("\"")
    for scalar in string.scalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{C}": text += "\\f"
      case _ where scalar.value < 0x20 || (isASCII && scalar.value > 0x7E):
        for unit in Character(scalar).utf16 { text += Text(Self.escape(unit)) }
      default: text.append(scalar)
      }
    }
    text.append("\"")
  }

  private static func escape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
