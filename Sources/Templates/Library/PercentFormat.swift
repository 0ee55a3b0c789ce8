/// Python's `format % values`.
extension Evaluator {
  func formatted(_ format: Text, _ values: Value) throws(TemplateError) -> Text {
    var formatter = PercentFormat(format, values)
    var result = Text()
    while let piece = try formatter.next(self) {
      result += piece
      try checkLength(result.count)
    }
    return result
  }
}

private struct PercentFormat {
  private let format: Text
  private var index = 0
  private var positional: ArraySlice<Value>
  private let named: Table?

  init(_ format: Text, _ values: Value) {
    self.format = format
    if case .dictionary(let table) = values { named = table } else { named = nil }
    if case .sequence(let items) = values, case .tuple = items.kind {
      positional = items.elements[...]
    } else {
      positional = [values]
    }
  }

  /// The next part of the result; nil at the end.
  mutating func next(_ evaluator: Evaluator) throws(TemplateError) -> Text? {
    guard index < format.count else {
      guard positional.isEmpty || named != nil else {
        throw TemplateError(.evaluation, "'%' has \(positional.count) values too many")
      }
      return nil
    }
    guard format[index] == "%" else {
      let end = format.scalars[index...].firstIndex(of: "%") ?? format.count
      defer { index = end }
      return format[index..<end]
    }
    index += 1
    return try conversion(evaluator)
  }

  private var current: Unicode.Scalar? { index < format.count ? format[index] : nil }

  private mutating func conversion(_ evaluator: Evaluator) throws(TemplateError) -> Text {
    var key: Text?
    if current == "(" {
      guard let end = format.firstIndex(of: ")", from: index) else {
        throw TemplateError(.evaluation, "'%(' has no ')'")
      }
      key = format[index + 1..<end]
      index = end + 1
    }
    var flags: Set<Unicode.Scalar> = []
    while let flag = current, ["-", "0", "+", " ", "#"].contains(flag) {
      flags.insert(flag)
      index += 1
    }
    let width = number()
    var precision: Int?
    if current == "." {
      index += 1
      precision = number() ?? 0
    }
    guard let letter = current else { throw TemplateError(.evaluation, "'%' ends the format") }
    index += 1
    if letter == "%" { return "%" }
    let value = try value(key)
    try evaluator.checkLength(max(width ?? 0, precision ?? 0))
    var text = try text(of: value, letter, flags, precision)
    let isNumber = !["s", "r", "c"].contains(letter)
    if isNumber, let sign = ["+", " "].first(where: flags.contains), text.first != "-" {
      text = Text([sign]) + text
    }
    guard isNumber, flags.contains("0"), !flags.contains("-") else {
      return try evaluator.padded(
        text, to: width ?? 0, flags.contains("-") ? .right : .left, with: " ")
    }
    let signCount = ["-", "+", " "].contains(text.first) ? 1 : 0
    return text[0..<signCount]
      + (try evaluator.padded(
        text[signCount..<text.count], to: max(width ?? 0, signCount) - signCount, .left, with: "0"))
  }

  private mutating func number() -> Int? {
    var digits = ""
    while let digit = current, ("0"..."9").contains(digit), digits.count < 9 {
      digits.unicodeScalars.append(digit)
      index += 1
    }
    return Int(digits)
  }

  private mutating func value(_ key: Text?) throws(TemplateError) -> Value {
    if let key {
      guard let value = named?[.string(key)] else {
        throw TemplateError(.evaluation, "'%' finds no value '\(key.string)'")
      }
      return value
    }
    guard let value = positional.popFirst() else {
      throw TemplateError(.evaluation, "'%' has too few values for its format")
    }
    return value
  }

  private func text(
    of value: Value, _ letter: Unicode.Scalar, _ flags: Set<Unicode.Scalar>, _ precision: Int?
  ) throws(TemplateError) -> Text {
    func integer() throws(TemplateError) -> Int {
      if let integer = value.integer { return integer }
      if "di".unicodeScalars.contains(letter), case .float(let float) = value,
        let integer = Int(exactly: float.rounded(.towardZero))
      {
        return integer
      }
      throw TemplateError(.evaluation, "'%\(letter)' is for a number, got \(value.kindName)")
    }
    func radix(_ base: Int, _ prefix: String, uppercase: Bool = false) throws(TemplateError) -> Text
    {
      let number = try integer()
      let digits = String(number.magnitude, radix: base, uppercase: uppercase)
      return Text((number < 0 ? "-" : "") + (flags.contains("#") ? prefix : "") + digits)
    }
    switch letter {
    case "s": return cut(value.printed, precision)
    case "r": return cut(value.represented, precision)
    case "c":
      if let text = value.text, text.count == 1 { return text }
      guard let scalar = Unicode.Scalar(UInt32(clamping: try integer())) else {
        throw TemplateError(.evaluation, "'%c' is for one character")
      }
      return Text([scalar])
    case "d", "i", "u": return Text("\(try integer())")
    case "x": return try radix(16, "0x")
    case "X": return try radix(16, "0X", uppercase: true)
    case "o": return try radix(8, "0o")
    case "f", "F":
      guard let float = value.float else {
        throw TemplateError(.evaluation, "'%f' is for a number, got \(value.kindName)")
      }
      guard float.isFinite else { return Text(pythonText(of: float)) }
      return Text(fixedText(of: float, decimals: precision ?? 6))
    default:
      throw TemplateError(.unsupported, "'%\(letter)' is not supported in a format")
    }
  }

  private func cut(_ text: Text, _ precision: Int?) -> Text {
    precision.map { text[0..<min($0, text.count)] } ?? text
  }
}
