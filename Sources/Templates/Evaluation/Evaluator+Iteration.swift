extension Evaluator {
  /// What a loop over the value goes through; an iterator gives what is left of it, once.
  func iterator(over value: Value) throws(TemplateError) -> ValueIterator {
    if case .iterator(let iterator) = value { return iterator }
    return ValueIterator(try elements(of: value))
  }

  /// All elements of a value; an iterator is empty then.
  func elements(of value: Value) throws(TemplateError) -> [Value] {
    switch value {
    case .undefined: return []
    case .sequence(let items): return items.elements
    case .iterator(let iterator): return iterator.remaining()
    case .dictionary(let table): return table.keys
    case .string(let text):
      try spend(on: value)
      return text.scalars.map { .string(Text([$0])) }
    case .loop(let loop):
      var elements: [Value] = []
      while let element = try loop.advance() {
        elements.append(.tuple([element, value]))
        try spend()
      }
      return elements
    case .none, .boolean, .integer, .float, .namespace, .callable:
      throw TemplateError(.evaluation, "\(value.kindName) has no elements to go through")
    }
  }

  /// Python's `len`; nil for what has none.
  func count(of value: Value) -> Int? {
    switch value {
    case .undefined: 0
    case .string(let text): text.count
    case .sequence(let items): items.elements.count
    case .dictionary(let table): table.count
    case .loop(let loop): try? loop.count()
    default: nil
    }
  }
}
