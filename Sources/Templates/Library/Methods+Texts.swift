/// Methods of strings, as Python's `str` has them.
extension Methods {
  static let texts: Set<String> = [
    "capitalize", "center", "count", "endswith", "find", "format", "index", "isalnum", "isalpha",
    "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper",
    "join", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace",
    "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
    "startswith", "strip", "swapcase", "title", "upper", "zfill",
  ]

  static func call(
    _ name: String, of text: Text, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    switch name {
    case "upper": .string(text.uppercased)
    case "lower": .string(text.lowercased)
    case "capitalize": .string(text.capitalized)
    case "title": .string(text.titlecased)
    case "swapcase": .string(text.swappedCase)
    case "strip": .string(text.trimmed(.both, of: try parameters.text("chars")))
    case "lstrip": .string(text.trimmed(.left, of: try parameters.text("chars")))
    case "rstrip": .string(text.trimmed(.right, of: try parameters.text("chars")))
    case "split", "rsplit": try split(text, fromEnd: name == "rsplit", &parameters)
    case "splitlines":
      .list(text.lines(keepingEnds: parameters.isTrue("keepends")).map { .string($0) })
    case "partition", "rpartition":
      try partition(text, fromEnd: name == "rpartition", &parameters)
    case "startswith", "endswith": try hasAffix(text, atEnd: name == "endswith", &parameters)
    case "removeprefix", "removesuffix":
      try removingAffix(text, atEnd: name == "removesuffix", &parameters)
    case "replace": try replace(text, &parameters, evaluator)
    case "join":
      .string(try join(text, &parameters, evaluator))
    case "find", "rfind", "index", "rindex": try find(name, text, &parameters)
    case "count": .integer(try part(text, &parameters) { $0.ranges(of: $1).count })
    case "center", "ljust", "rjust": try justify(name, text, &parameters, evaluator)
    case "zfill": try fillWithZeros(text, &parameters, evaluator)
    case "format": .string(try evaluator.formattedByBraces(text, parameters.rest()))
    default: .boolean(text.passes(name))
    }
  }

  private static func split(
    _ text: Text, fromEnd: Bool, _ parameters: inout Parameters
  ) throws(TemplateError) -> Value {
    let separator = try parameters.text("sep")
    let count = try parameters.integer("maxsplit") ?? -1
    let limit = count < 0 ? nil : count
    guard let separator else {
      let words = fromEnd ? text.wordsFromEnd(limit: limit) : text.words(limit: limit)
      return .list(words.map { .string($0) })
    }
    try checkSeparator(separator)
    let parts =
      fromEnd
      ? text.splitFromEnd(on: separator, limit: limit) : text.split(on: separator, limit: limit)
    return .list(parts.map { .string($0) })
  }

  private static func checkSeparator(_ separator: Text) throws(TemplateError) {
    guard !separator.isEmpty else { throw TemplateError(.evaluation, "the separator is empty") }
  }

  private static func partition(
    _ text: Text, fromEnd: Bool, _ parameters: inout Parameters
  ) throws(TemplateError) -> Value {
    let separator = try parameters.requiredText("sep")
    try checkSeparator(separator)
    let parts =
      fromEnd ? text.splitFromEnd(on: separator, limit: 1) : text.split(on: separator, limit: 1)
    let whole: [Text] =
      parts.count == 2
      ? [parts[0], separator, parts[1]] : fromEnd ? ["", "", text] : [text, "", ""]
    return .tuple(whole.map { .string($0) })
  }

  private static func hasAffix(
    _ text: Text, atEnd: Bool, _ parameters: inout Parameters
  ) throws(TemplateError) -> Value {
    let value = try parameters.required("affix")
    let affixes: [Value] =
      if case .sequence(let items) = value, case .tuple = items.kind { items.elements } else {
        [value]
      }
    let (start, end) = try bounds(of: text, &parameters)
    for affix in affixes {
      guard let affix = affix.text else {
        throw TemplateError(
          .evaluation, "\(parameters.callee) looks for \(affix.kindName), expected a string")
      }
      guard start <= end else { continue }
      let part = text[start..<end]
      if atEnd ? part.hasSuffix(affix) : part.hasPrefix(affix) { return .boolean(true) }
    }
    return .boolean(false)
  }

  private static func removingAffix(
    _ text: Text, atEnd: Bool, _ parameters: inout Parameters
  ) throws(TemplateError) -> Value {
    let affix = try parameters.requiredText("affix")
    let isThere = atEnd ? text.hasSuffix(affix) : text.hasPrefix(affix)
    guard isThere else { return .string(text) }
    return .string(
      atEnd ? text[0..<text.count - affix.count] : text[affix.count..<text.count])
  }

  private static func replace(
    _ text: Text, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let old = try parameters.requiredText("old")
    let new = try parameters.requiredText("new")
    let count = try parameters.integer("count")
    return .string(try evaluator.replacing(old, with: new, in: text, limit: count))
  }

  private static func join(
    _ text: Text, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Text {
    let values = try evaluator.elements(of: try parameters.required("iterable"))
    if let other = values.first(where: { $0.text == nil }) {
      throw TemplateError(.evaluation, "'join' is for strings, got \(other.kindName)")
    }
    return try evaluator.concatenation(values, separator: text)
  }

  private static func find(
    _ name: String, _ text: Text, _ parameters: inout Parameters
  ) throws(TemplateError) -> Value {
    var offset = 0
    let index = try part(text, &parameters, offset: &offset) { text, part in
      name.hasPrefix("r") ? text.lastIndex(of: part) : text.firstIndex(of: part)
    }
    if let index { return .integer(offset + index) }
    guard !name.hasSuffix("index") else {
      throw TemplateError(.evaluation, "'\(name)' does not find the text")
    }
    return .integer(-1)
  }

  private static func part<Result>(
    _ text: Text, _ parameters: inout Parameters, _ find: (Text, Text) -> Result
  ) throws(TemplateError) -> Result {
    var offset = 0
    return try part(text, &parameters, offset: &offset, find)
  }

  /// Searches between the bounds that are given behind what is searched.
  private static func part<Result>(
    _ text: Text, _ parameters: inout Parameters, offset: inout Int,
    _ find: (Text, Text) -> Result
  ) throws(TemplateError) -> Result {
    let part = try parameters.requiredText("sub")
    let (start, end) = try bounds(of: text, &parameters)
    offset = start
    // Nothing is found between bounds that have crossed, not even an empty text.
    return start <= end ? find(text[start..<end], part) : find("", "\u{0}")
  }

  private static func bounds(
    of text: Text, _ parameters: inout Parameters
  ) throws(TemplateError) -> (start: Int, end: Int) {
    func place(_ index: Int) -> Int { index < 0 ? max(index + text.count, 0) : index }
    let start = place(try parameters.integer("start") ?? 0)
    return (start, min(place(try parameters.integer("end") ?? text.count), text.count))
  }

  private static func justify(
    _ name: String, _ text: Text, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let width = try parameters.integer("width") ?? 0
    let filler = try parameters.text("fillchar") ?? " "
    guard filler.count == 1 else {
      throw TemplateError(.evaluation, "'\(name)' fills with one character, got \(filler.count)")
    }
    let sides: Text.Sides = name == "ljust" ? .right : name == "rjust" ? .left : .both
    return .string(try evaluator.padded(text, to: width, sides, with: filler[0]))
  }

  private static func fillWithZeros(
    _ text: Text, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let width = try parameters.integer("width") ?? 0
    let signCount = text.first == "-" || text.first == "+" ? 1 : 0
    let digits = text[signCount..<text.count]
    return .string(
      text[0..<signCount]
        + (try evaluator.padded(digits, to: max(width, signCount) - signCount, .left, with: "0")))
  }
}

extension Text {
  /// What Python's test of that name (`isdigit`, …) says of all code points.
  fileprivate func passes(_ name: String) -> Bool {
    switch name {
    case "islower": return isLowercase
    case "isupper": return isUppercase
    case "istitle": return isTitlecase
    case "isascii": return scalars.allSatisfy(\.isASCII)
    default:
      return !isEmpty
        && scalars.allSatisfy { scalar in
          let type = scalar.properties.numericType
          switch name {
          case "isspace": return scalar.isPythonSpace
          case "isalpha": return scalar.isPythonAlphabetic
          case "isalnum": return scalar.isPythonAlphabetic || type != nil
          case "isdecimal": return type == .decimal
          case "isdigit": return type == .decimal || type == .digit
          default: return type != nil
          }
        }
    }
  }

  /// Whether upper case letters begin words, and lower case letters follow letters only.
  private var isTitlecase: Bool {
    var isInsideWord = false
    var hasCased = false
    for scalar in scalars {
      let properties = scalar.properties
      let isUpper = properties.isUppercase || properties.generalCategory == .titlecaseLetter
      if isUpper && isInsideWord || properties.isLowercase && !isInsideWord { return false }
      isInsideWord = isUpper || properties.isLowercase
      hasCased = hasCased || isInsideWord
    }
    return hasCased
  }
}

extension Unicode.Scalar {
  var isPythonAlphabetic: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }
}
