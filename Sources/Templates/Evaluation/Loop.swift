/// What a template sees as `loop`.
///
/// Values come from the sequence when they are needed, so that a filter of the loop sees what the
/// rounds before have changed; asking for the end or the next value looks ahead.
final class Loop {
  typealias Source = () throws(TemplateError) -> Value?

  private let source: Source
  private var ahead: [Value] = []
  private var isExhausted = false
  private(set) var index0 = -1
  private(set) var current: Value?
  private(set) var previous: Value?
  /// How many loops a recursive loop is in.
  let depth0: Int
  /// What a recursive loop runs again for `loop(values)`.
  let recursion: LoopRecursion?
  private var lastChanged: [Value]?

  init(depth0: Int, recursion: LoopRecursion?, _ source: @escaping Source) {
    self.source = source
    self.depth0 = depth0
    self.recursion = recursion
  }

  func advance() throws(TemplateError) -> Value? {
    guard let value = try ahead.isEmpty ? pull() : ahead.removeFirst() else { return nil }
    if index0 >= 0 { previous = current }
    current = value
    index0 += 1
    return value
  }

  private func pull() throws(TemplateError) -> Value? {
    guard !isExhausted else { return nil }
    let value = try source()
    isExhausted = value == nil
    return value
  }

  func next() throws(TemplateError) -> Value? {
    if ahead.isEmpty, let value = try pull() { ahead.append(value) }
    return ahead.first
  }

  func count() throws(TemplateError) -> Int {
    while let value = try pull() { ahead.append(value) }
    return index0 + 1 + ahead.count
  }

  /// Whether the values differ from those of the last call.
  func changed(_ values: [Value]) -> Bool {
    defer { lastChanged = values }
    return lastChanged != values
  }
}

/// The loop that `loop(values)` runs again, and the names that it sees.
struct LoopRecursion {
  let statement: LoopStatement
  let scope: Scope
}

extension Loop {
  /// An attribute of `loop`; nil when it has none of the name.
  func attribute(_ name: String) throws(TemplateError) -> Value? {
    switch name {
    case "index": .integer(index0 + 1)
    case "index0": .integer(index0)
    case "first": .boolean(index0 == 0)
    case "last": .boolean(try next() == nil)
    case "length": .integer(try count())
    case "revindex": .integer(try count() - index0)
    case "revindex0": .integer(try count() - index0 - 1)
    case "previtem":
      previous ?? .undefined("there is no previous item")
    case "nextitem": try next() ?? .undefined("there is no next item")
    case "depth": .integer(depth0 + 1)
    case "depth0": .integer(depth0)
    case "cycle", "changed": .callable(.method(name, of: .loop(self)))
    default: nil
    }
  }
}
