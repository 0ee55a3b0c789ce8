import OrderedCollections

/// What an expression has as its value.
indirect enum Value {
  case undefined(Undefined)
  case none
  case boolean(Bool)
  case integer(Int)
  case float(Double)
  case string(Text)
  /// A list, a tuple, a range or a view of a dictionary.
  case sequence(Items)
  /// What can be gone through once.
  case iterator(ValueIterator)
  case dictionary(Table)
  case namespace(Namespace)
  case loop(Loop)
  case callable(Callable)

  static func list(_ elements: [Value]) -> Value { .sequence(Items(.list, elements)) }
  static func tuple(_ elements: [Value]) -> Value { .sequence(Items(.tuple, elements)) }
  static func string(_ string: String) -> Value { .string(Text(string)) }
  static func undefined(_ message: String) -> Value { .undefined(Undefined(message: message)) }

  /// An attribute or item that a value does not have.
  static func missing(_ name: String, of value: Value) -> Value {
    .undefined("\(value.kindName) has no '\(name)'")
  }
}

/// A value that is not there, with what to say when it is used.
struct Undefined {
  let message: String
}

/// Values in order that stay as they are.
struct Items {
  enum Kind {
    case list, tuple, keys, values, items
    case range(start: Int, stop: Int, step: Int)
  }

  let kind: Kind
  let elements: [Value]
  let extent: Extent

  init(_ kind: Kind, _ elements: [Value]) {
    self.kind = kind
    self.elements = elements
    extent = elements.reduce(into: .single) { $0.add($1.extent) }
  }

  /// Whether elements can be asked for by number.
  var isIndexed: Bool {
    switch kind {
    case .list, .tuple, .range: true
    case .keys, .values, .items: false
    }
  }
}

/// Keys and values in the order in which they came.
struct Table {
  private var members: OrderedDictionary<Value, Value> = [:]
  private(set) var extent = Extent.single

  init() {}

  /// - Precondition: all keys are hashable.
  init(_ elements: some Sequence<(Value, Value)>) {
    for (key, value) in elements { self[key] = value }
  }

  subscript(key: Value) -> Value? {
    get { members[key] }
    set {
      members[key] = newValue
      extent.add(key.extent)
      if let newValue { extent.add(newValue.extent) }
    }
  }

  subscript(key: String) -> Value? {
    get { self[.string(key)] }
    set { self[.string(key)] = newValue }
  }

  var count: Int { members.count }
  var pairs: [(key: Value, value: Value)] { members.map { ($0.key, $0.value) } }
  var keys: [Value] { Array(members.keys) }
  var values: [Value] { Array(members.values) }
  var items: [Value] { members.map { .tuple([$0.key, $0.value]) } }
}

/// How far a value reaches.
///
/// A list can hold another a thousand times at no cost, and so on; whoever prints or compares it
/// goes through all of them.
struct Extent {
  /// Values and code points in it, each counted as often as it is met.
  private(set) var size: Int
  /// Sequences and dictionaries inside each other, the value included.
  private(set) var depth: Int

  /// Of a sequence or a dictionary without anything.
  static let single = Extent(size: 1, depth: 1)

  /// Adds an element.
  mutating func add(_ element: Extent) {
    let (sum, overflow) = size.addingReportingOverflow(element.size)
    size = overflow ? .max : sum
    depth = max(depth, 1 + element.depth)
  }

  init(size: Int, depth: Int) {
    self.size = size
    self.depth = depth
  }
}

/// The values of a filter like `select`, which Python gives one by one, and only once.
final class ValueIterator {
  private var rest: ArraySlice<Value>

  init(_ elements: [Value]) { rest = elements[...] }

  func next() -> Value? { rest.popFirst() }

  func remaining() -> [Value] {
    defer { rest = [] }
    return Array(rest)
  }
}

/// The one thing of a template that can be changed: the attributes of `namespace()`.
final class Namespace {
  var attributes: Table

  init(_ attributes: Table) { self.attributes = attributes }
}

extension Value {
  var extent: Extent {
    switch self {
    case .string(let text): Extent(size: 1 + text.count, depth: 0)
    case .sequence(let items): items.extent
    case .dictionary(let table): table.extent
    default: Extent(size: 1, depth: 0)
    }
  }

  /// What messages call a value of this kind.
  var kindName: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "none"
    case .boolean: "a boolean"
    case .integer: "an integer"
    case .float: "a float"
    case .string: "a string"
    case .sequence(let items):
      switch items.kind {
      case .list: "a list"
      case .tuple: "a tuple"
      case .range: "a range"
      case .keys, .values, .items: "a view of a dictionary"
      }
    case .iterator: "an iterator"
    case .dictionary: "a dictionary"
    case .namespace: "a namespace"
    case .loop: "a loop"
    case .callable: "a function"
    }
  }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .boolean(let value): value
    case .integer(let value): value != 0
    case .float(let value): value != 0
    case .string(let text): !text.isEmpty
    case .sequence(let items): !items.elements.isEmpty
    case .dictionary(let table): table.count > 0
    case .iterator, .namespace, .loop, .callable: true
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// A boolean counts as 0 or 1, as in Python.
  var integer: Int? {
    switch self {
    case .boolean(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  var text: Text? { if case .string(let text) = self { text } else { nil } }
}
