/// Attributes, items and slices.
extension Evaluator {
  /// `object.name`: a method or attribute, else the item of that name.
  func attribute(_ name: String, of object: Value) throws(TemplateError) -> Value {
    if let value = try ownAttribute(name, of: object) { return value }
    if case .dictionary(let table) = object, let value = table[name] { return value }
    return .missing(name, of: object)
  }

  /// `object[key]`: an item, else the attribute of that name.
  func item(_ key: Value, of object: Value) throws(TemplateError) -> Value {
    switch object {
    case .undefined(let undefined): throw TemplateError(.evaluation, undefined.message)
    case .dictionary(let table):
      if key.isHashable, let value = table[key] { return value }
    case .sequence(let items) where items.isIndexed:
      if let index = key.integer, let value = items.elements[python: index] { return value }
    case .string(let text):
      if let index = key.integer, let scalar = text.scalars[python: index] {
        return .string(Text([scalar]))
      }
    default: break
    }
    if let name = key.text?.string, let value = try ownAttribute(name, of: object) { return value }
    return .missing(key.printed.string, of: object)
  }

  private func ownAttribute(
    _ name: String, of object: Value
  ) throws(TemplateError) -> Value? {
    switch object {
    case .undefined(let undefined): throw TemplateError(.evaluation, undefined.message)
    case .namespace(let namespace): return namespace.attributes[name]
    case .loop(let loop): return try loop.attribute(name)
    case .callable(.macro(let macro)) where name == "name": return .string(macro.definition.name)
    case .callable(.global(.dict)) where name == "fromkeys":
      return .callable(.method(name, of: object))
    default: break
    }
    if name.hasPrefix("_") {
      let isKey = if case .dictionary(let table) = object { table[name] != nil } else { false }
      return isKey
        ? nil
        : .undefined("'\(name)' is not open to templates")
    }
    return try Methods.method(name, of: object)
  }

  /// - Parameters: as behind `object`, nil where nothing is given.
  func slice(
    _ object: Value, start: Int?, stop: Int?, step: Int?
  ) throws(TemplateError) -> Value {
    guard step != 0 else { throw TemplateError(.evaluation, "the step of a slice is 0") }
    switch object {
    case .undefined(let undefined): throw TemplateError(.evaluation, undefined.message)
    case .string(let text):
      let indices = sliceIndices(count: text.count, start, stop, step ?? 1)
      return .string(Text(indices.map { text[$0] }))
    case .sequence(let items) where items.isIndexed:
      let indices = sliceIndices(count: items.elements.count, start, stop, step ?? 1)
      return .sequence(items.picking(indices))
    default: return .missing("[:]", of: object)
    }
  }

  /// A bound of a slice; nil when it is absent or none.
  func bound(_ expression: Expression?) throws(TemplateError) -> Int? {
    guard let expression else { return nil }
    let value = try evaluate(expression)
    if case .none = value { return nil }
    guard let integer = value.integer else {
      throw TemplateError(
        .evaluation, "a bound of a slice is \(value.kindName), expected an integer")
    }
    return integer
  }
}

/// The indices that Python's `slice(start, stop, step)` picks of `count`.
private func sliceIndices(
  count: Int, _ start: Int?, _ stop: Int?, _ step: Int
) -> [Int] {
  let (lowest, highest) = step > 0 ? (0, count) : (-1, count - 1)
  func clamped(_ bound: Int) -> Int {
    min(max(bound < 0 ? bound.addingReportingOverflow(count).partialValue : bound, lowest), highest)
  }
  let first = start.map(clamped) ?? (step > 0 ? lowest : highest)
  let end = stop.map(clamped) ?? (step > 0 ? highest : lowest)
  // A step beyond the count picks one element, whatever it is.
  return Array(stride(from: first, to: end, by: min(max(step, -count - 1), count + 1)))
}

extension Items {
  fileprivate func picking(_ indices: [Int]) -> Items {
    let picked = indices.map { elements[$0] }
    switch kind {
    case .range(let start, _, let step):
      let next = indices.count > 1 ? indices[1] - indices[0] : 1
      let first = start + (indices.first ?? 0) * step
      return Items(
        .range(start: first, stop: first + indices.count * next * step, step: next * step), picked)
    default: return Items(kind, picked)
    }
  }
}

extension Array {
  /// The element at an index that counts from the end when it is negative; nil for none.
  subscript(python index: Int) -> Element? {
    let place = index < 0 ? index + count : index
    return indices.contains(place) ? self[place] : nil
  }
}
