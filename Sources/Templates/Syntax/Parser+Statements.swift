/// Text, output and tags.
extension Parser {
  /// Reads statements up to a tag of one of these names, on which it stops; to the end of the
  /// template for none.
  mutating func statements(
    until ends: [String], of tag: String?
  ) throws(TemplateError) -> [Statement] {
    let beginning = position
    var statements: [Statement] = []
    while true {
      let start = position
      switch current.kind {
      case .data(let text):
        advance()
        statements.append(Statement(kind: .text(text), position: start))
      case .outputBegin:
        advance()
        let value = try expressionOrTuple()
        try expect(.outputEnd)
        statements.append(Statement(kind: .output(value), position: start))
      case .tagBegin:
        advance()
        guard case .name(let name) = current.kind else { throw unexpected("the name of a tag") }
        if ends.contains(name) { return statements }
        statements += try nested { (parser) throws(TemplateError) in
          try parser.statement(named: name, at: start)
        }
        try expect(.tagEnd)
      default:
        guard let tag else { return statements }
        throw TemplateError(
          .syntax, "'\(tag)' has no '\(ends.last ?? "end")'", at: beginning)
      }
    }
  }

  /// The block of a tag whose text is captured; loops around it cannot be left from inside.
  private mutating func textBlock(_ tag: String) throws(TemplateError) -> [Statement] {
    let outer = loopCount
    loopCount = 0
    defer { loopCount = outer }
    return try block(tag)
  }

  /// The statements up to the end tag, whose name is skipped.
  private mutating func block(_ tag: String) throws(TemplateError) -> [Statement] {
    let end = "end" + tag
    let body = try body(until: [end], of: tag)
    try expect(end)
    return body
  }

  /// The statements of a tag that is not closed yet.
  private mutating func body(
    until ends: [String], of tag: String
  ) throws(TemplateError) -> [Statement] {
    // Jinja2 lets a colon stand before the end of the tag, as in Python.
    _ = skip(.colon)
    try expect(.tagEnd)
    return try statements(until: ends, of: tag)
  }

  /// Reads a tag and, where it has one, its block.
  private mutating func statement(
    named name: String, at start: TemplatePosition
  ) throws(TemplateError) -> [Statement] {
    advance()
    let kinds: [Statement.Kind] =
      switch name {
      case "for": [try loop()]
      case "if": [try condition()]
      case "set": [try assignment()]
      case "with": [try with()]
      case "macro": [.macro(try macro())]
      case "call": [try call()]
      case "filter": [try filterBlock()]
      case "break", "continue": [try jump(name)]
      case "print": try printed().map { .output($0) }
      // What the model wrote, for trainers that mask the rest; a scope like that of a macro.
      case "generation": [.with([], body: try textBlock(name))]
      default: throw unknownTag(name, at: start)
      }
    return kinds.map { Statement(kind: $0, position: start) }
  }

  private func unknownTag(_ name: String, at start: TemplatePosition) -> TemplateError {
    switch name {
    case "include", "import", "from", "extends", "block":
      TemplateError(
        .unsupported, "'\(name)' reads other templates, and a chat template has none", at: start)
    case "autoescape":
      TemplateError(.unsupported, "'autoescape' is for HTML and not supported", at: start)
    case _ where name.hasPrefix("end") || ["else", "elif"].contains(name):
      TemplateError(.syntax, "'\(name)' without its beginning", at: start)
    default: TemplateError(.unsupported, "there is no tag '\(name)'", at: start)
    }
  }

  private mutating func printed() throws(TemplateError) -> [Expression] {
    var values: [Expression] = []
    while current.kind != .tagEnd {
      if !values.isEmpty { try expect(.comma) }
      values.append(try expression())
    }
    return values
  }

  private mutating func loop() throws(TemplateError) -> Statement.Kind {
    let target = try target(end: "in")
    try expect("in")
    let sequence = try expressionOrTuple(allowsConditional: false, end: "recursive")
    let filter: Expression? = skip("if") ? try expression() : nil
    let isRecursive = skip("recursive")
    loopCount += 1
    let body = try body(until: ["else", "endfor"], of: "for")
    loopCount -= 1
    var otherwise: [Statement] = []
    if skip("else") { otherwise = try self.body(until: ["endfor"], of: "for") }
    try expect("endfor")
    return .loop(
      LoopStatement(
        target: target, sequence: sequence, filter: filter, isRecursive: isRecursive, body: body,
        otherwise: otherwise))
  }

  private mutating func jump(_ name: String) throws(TemplateError) -> Statement.Kind {
    guard loopCount > 0 else {
      throw TemplateError(.syntax, "'\(name)' outside a loop", at: position)
    }
    return name == "break" ? .breakLoop : .continueLoop
  }

  private mutating func condition() throws(TemplateError) -> Statement.Kind {
    var branches: [(test: Expression, body: [Statement])] = []
    conditionCount += 1
    defer { conditionCount -= 1 }
    repeat {
      let test = try expressionOrTuple(allowsConditional: false)
      branches.append((test, try body(until: ["elif", "else", "endif"], of: "if")))
    } while skip("elif")
    let otherwise = skip("else") ? try body(until: ["endif"], of: "if") : []
    try expect("endif")
    return .condition(branches, otherwise: otherwise)
  }

  private mutating func assignment() throws(TemplateError) -> Statement.Kind {
    let target = try target(allowsAttributes: true)
    if skip(.assign) { return .set(target, try expressionOrTuple()) }
    let filter = try blockFilters()
    return .setBlock(target, filter: filter, body: try textBlock("set"))
  }

  /// The filters that the text of a block passes.
  private mutating func blockFilters() throws(TemplateError) -> Expression? {
    var value: Expression?
    while skip(.pipe) { value = try filter(of: value) }
    return value
  }

  private mutating func filterBlock() throws(TemplateError) -> Statement.Kind {
    var value = try filter(of: nil)
    while skip(.pipe) { value = try filter(of: value) }
    return .filterBlock(value, body: try textBlock("filter"))
  }

  private mutating func with() throws(TemplateError) -> Statement.Kind {
    var assignments: [(Target, Expression)] = []
    while current.kind != .tagEnd, !isAt(.colon) {
      if !assignments.isEmpty { try expect(.comma) }
      let target = try target()
      try expect(.assign)
      assignments.append((target, try expression()))
    }
    return .with(assignments, body: try block("with"))
  }
}

// MARK: Macros

extension Parser {
  private mutating func macro() throws(TemplateError) -> MacroDefinition {
    let name = try expectName()
    return try definition(named: name, try parameters(), tag: "macro")
  }

  private mutating func call() throws(TemplateError) -> Statement.Kind {
    let start = position
    let parameters = isAt(.openParenthesis) ? try parameters() : []
    let call = try expression()
    guard case .call = call.kind else {
      throw TemplateError(.syntax, "'call' is for the call of a macro", at: start)
    }
    return .call(call, caller: try definition(named: "caller", parameters, tag: "call"))
  }

  private mutating func definition(
    named name: String, _ parameters: [(name: String, standard: Expression?)], tag: String
  ) throws(TemplateError) -> MacroDefinition {
    let outer = readNames
    readNames = []
    let body = try textBlock(tag)
    let extras = readNames.intersection(["caller", "varargs", "kwargs"])
    readNames.formUnion(outer)
    return MacroDefinition(name: name, parameters: parameters, body: body, extras: extras)
  }

  private mutating func parameters() throws(TemplateError) -> [(
    name: String, standard: Expression?
  )] {
    try expect(.openParenthesis)
    var hasStandard = false
    return try list(until: .closeParenthesis) {
      (parser) throws(TemplateError) -> (name: String, standard: Expression?) in
      let start = parser.position
      let name = try parser.expectName()
      guard parser.skip(.assign) else {
        guard !hasStandard else {
          throw TemplateError(
            .syntax, "the parameter '\(name)' without a default follows one with a default",
            at: start)
        }
        return (name, nil)
      }
      hasStandard = true
      return (name, try parser.expression())
    }
  }
}

// MARK: Targets

extension Parser {
  /// - Parameters:
  ///   - end: a name that ends it.
  ///   - allowsAttributes: whether `namespace.attribute` may be meant.
  private mutating func target(
    end: String? = nil, allowsAttributes: Bool = false
  ) throws(TemplateError) -> Target {
    let start = position
    let value = try expressionOrTuple(end: end) { (parser) throws(TemplateError) in
      let value = try parser.primary()
      guard allowsAttributes, parser.isAt(.dot), case .name = value.kind else { return value }
      parser.advance()
      return Expression(
        kind: .attribute(value, try parser.expectName()), position: value.position)
    }
    guard let target = Target(value) else {
      throw TemplateError(.syntax, "nothing can be assigned to this", at: start)
    }
    return target
  }
}

extension Target {
  fileprivate init?(_ expression: Expression) {
    switch expression.kind {
    case .name(let name): self = .name(name)
    case .attribute(let object, let name):
      guard case .name(let namespace) = object.kind else { return nil }
      self = .attribute(namespace: namespace, name)
    case .tuple(let elements):
      let targets = elements.compactMap(Target.init)
      guard targets.count == elements.count else { return nil }
      self = .tuple(targets)
    default: return nil
    }
  }
}
