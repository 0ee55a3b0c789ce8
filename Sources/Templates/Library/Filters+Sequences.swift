extension Filters {
  static let sequences: [String: Function] = [
    "length": count, "count": count, "list": list, "first": first, "last": last,
    "reverse": reverse, "join": join, "items": items, "batch": batch, "slice": slice,
    "sort": sort, "dictsort": dictionarySort, "unique": unique,
  ]

  private static func count(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    guard let count = evaluator.count(of: value) else {
      throw TemplateError(.evaluation, "\(value.kindName) has no length")
    }
    return .integer(count)
  }

  private static func list(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    .list(try evaluator.elements(of: value))
  }

  private static func first(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    try evaluator.iterator(over: value).next()
      ?? .undefined("there is no first item, the sequence is empty")
  }

  private static func last(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    try backwards(value, "last", evaluator).first
      ?? .undefined("there is no last item, the sequence is empty")
  }

  private static func reverse(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    if case .string(let text) = value { return .string(Text(text.reversed())) }
    if case .iterator(let iterator) = value {
      return .list(iterator.remaining().reversed())
    }
    return .iterator(ValueIterator(try backwards(value, "reverse", evaluator)))
  }

  private static func backwards(
    _ value: Value, _ name: String, _ evaluator: Evaluator
  ) throws(TemplateError) -> [Value] {
    if case .iterator = value {
      throw TemplateError(.evaluation, "'\(name)' needs a list, got an iterator; use '|list' first")
    }
    return try evaluator.elements(of: value).reversed()
  }

  private static func join(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let separator = parameters.optional("d")?.printed ?? ""
    let getter = try MemberPath(parameters.optional("attribute"))
    var values = try evaluator.elements(of: value)
    if let getter { values = try getter.values(of: values, evaluator) }
    return .string(try evaluator.concatenation(values, separator: separator))
  }

  private static func items(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    switch value {
    case .undefined: return .iterator(ValueIterator([]))
    case .dictionary(let table): return .iterator(ValueIterator(table.items))
    default: throw TemplateError(.evaluation, "'items' is for a dictionary, got \(value.kindName)")
    }
  }

  private static func batch(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let size = try parameters.integer("linecount") ?? 0
    guard size > 0 else { throw TemplateError(.evaluation, "'batch' needs a size of at least 1") }
    try evaluator.checkLength(size)
    let filler = parameters.optional("fill_with")
    let elements = try evaluator.elements(of: value)
    return .iterator(
      ValueIterator(
        stride(from: 0, to: elements.count, by: size).map { start in
          .list(filled(elements[start..<min(start + size, elements.count)], to: size, with: filler))
        }))
  }

  private static func slice(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let count = try parameters.integer("slices") ?? 0
    guard 1...evaluator.limits.rangeLength ~= count else {
      throw TemplateError(.evaluation, "'slice' needs a number of slices of at least 1")
    }
    let filler = parameters.optional("fill_with")
    let elements = try evaluator.elements(of: value)
    let (size, longer) = elements.count.quotientAndRemainder(dividingBy: count)
    var start = 0
    return .iterator(
      ValueIterator(
        (0..<count).map { index in
          let end = start + size + (index < longer ? 1 : 0)
          defer { start = end }
          return .list(
            filled(elements[start..<end], to: size + (index >= longer ? 1 : 0), with: filler))
        }))
  }

  private static func filled(
    _ elements: ArraySlice<Value>, to count: Int, with filler: Value?
  ) -> [Value] {
    guard let filler, !Value.isNone(filler), elements.count < count else { return Array(elements) }
    return elements + Array(repeating: filler, count: count - elements.count)
  }
}

// MARK: Orders

extension Filters {
  private static func sort(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let isReversed = parameters.isTrue("reverse")
    let isCaseSensitive = parameters.isTrue("case_sensitive")
    let paths = try MemberPath.several(parameters.optional("attribute"))
    let elements = try evaluator.elements(of: value)
    var keys: [Value] = []
    for element in elements {
      var key: [Value] = []
      for path in paths {
        let value =
          try path.map { (path) throws(TemplateError) in
            try path.value(of: element, evaluator)
          } ?? element
        key.append(isCaseSensitive ? value : value.withoutCase)
      }
      keys.append(.list(key))
    }
    return .list(try evaluator.sorted(elements, by: keys, isReversed: isReversed))
  }

  private static func dictionarySort(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let isCaseSensitive = parameters.isTrue("case_sensitive")
    let criterion = try parameters.text("by") ?? "key"
    let isReversed = parameters.isTrue("reverse")
    guard case .dictionary(let table) = value else {
      throw TemplateError(.evaluation, "'dictsort' is for a dictionary, got \(value.kindName)")
    }
    guard ["key", "value"].contains(criterion) else {
      throw TemplateError(.evaluation, "'dictsort' sorts by \"key\" or \"value\"")
    }
    let keys = criterion == "key" ? table.keys : table.values
    return .list(
      try evaluator.sorted(
        table.items, by: isCaseSensitive ? keys : keys.map(\.withoutCase), isReversed: isReversed))
  }

  private static func unique(
    _ value: Value, _ parameters: inout Parameters, _ evaluator: Evaluator
  ) throws(TemplateError) -> Value {
    let isCaseSensitive = parameters.isTrue("case_sensitive")
    let path = try MemberPath(parameters.optional("attribute"))
    var seen: Set<Value> = []
    var result: [Value] = []
    for element in try evaluator.elements(of: value) {
      let value = try path?.value(of: element, evaluator) ?? element
      let key = try evaluator.hashable(isCaseSensitive ? value : value.withoutCase)
      if seen.insert(key).inserted { result.append(element) }
    }
    return .iterator(ValueIterator(result))
  }
}

extension Evaluator {
  /// Elements in the order of their keys; those with equal keys stay in theirs.
  func sorted(
    _ elements: [Value], by keys: [Value], isReversed: Bool
  ) throws(TemplateError) -> [Value] {
    var failure: TemplateError?
    let order = keys.indices.sorted { a, b in
      guard failure == nil else { return false }
      do throws(TemplateError) {
        let (first, second) = isReversed ? (keys[b], keys[a]) : (keys[a], keys[b])
        try spend(1 + min(first.extent.size, second.extent.size) / Self.unitsPerStep)
        if try isLess(first, second) { return true }
        return try !isLess(second, first) && a < b
      } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    return order.map { elements[$0] }
  }
}

extension Value {
  /// A string in lower case, anything else as it is: what sorting compares by default.
  var withoutCase: Value { text.map { .string($0.lowercased) } ?? self }

  static func isNone(_ value: Value) -> Bool { if case .none = value { true } else { false } }
}
