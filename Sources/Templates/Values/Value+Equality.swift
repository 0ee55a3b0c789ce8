extension Value: Hashable {
  /// Python's `==`: numbers by value whatever their type, lists and dictionaries by what is in them.
  static func == (a: Value, b: Value) -> Bool {
    if let a = a.integer, let b = b.integer { return a == b }
    switch (a, b) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.float(let a), .float(let b)): return a == b
    case (.float(let float), let other), (let other, .float(let float)):
      return other.integer.map { Int(exactly: float) == $0 } ?? false
    case (.string(let a), .string(let b)): return a == b
    case (.sequence(let a), .sequence(let b)):
      return a.kind.isComparable(with: b.kind) && a.elements == b.elements
    case (.dictionary(let a), .dictionary(let b)):
      return a.count == b.count
        && a.pairs.allSatisfy { b[$0.key] == $0.value }
    case (.iterator(let a), .iterator(let b)): return a === b
    case (.namespace(let a), .namespace(let b)): return a === b
    case (.loop(let a), .loop(let b)): return a === b
    default: return false
    }
  }

  func hash(into hasher: inout Hasher) {
    if let integer { return hasher.combine(integer) }
    switch self {
    case .float(let value):
      if let integer = Int(exactly: value) {
        integer.hash(into: &hasher)
      } else {
        hasher.combine(value)
      }
    case .string(let text): hasher.combine(text)
    case .sequence(let items): hasher.combine(items.elements)
    default: break
    }
  }

  /// Whether Python lets the value be a key.
  var isHashable: Bool {
    switch self {
    case .dictionary: false
    case .sequence(let items):
      switch items.kind {
      case .tuple: items.elements.allSatisfy(\.isHashable)
      case .range: true
      default: false
      }
    default: true
    }
  }
}

extension Items.Kind {
  fileprivate func isComparable(with other: Items.Kind) -> Bool {
    switch (self, other) {
    case (.list, .list), (.tuple, .tuple), (.range, .range), (.keys, .keys), (.items, .items): true
    default: false
    }
  }
}
