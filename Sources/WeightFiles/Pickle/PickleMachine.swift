import Tensors

/// Runs the instructions of a pickle that make tensors out of storages, and no others.
///
/// The machine has a stack, marks in it, and a memo of numbered values. It knows the instructions of
/// `PickleOpcode` and the names of `PickleGlobal`; it has no way to run anything else.
struct PickleMachine {
  /// The pickle of 100,000 tensors takes 15 MB; a longer one is an attack on memory, not a model.
  static let maximumByteCount = 64 << 20
  /// Instructions of the longest pickle; a tensor takes 33.
  ///
  /// None makes more than one value, mark or memo entry, so this bounds them all.
  var maximumInstructionCount = 1 << 23

  private(set) var heap = PickleHeap()
  private var stack: [PickleValue] = []
  /// Heights of the stack where a container's members begin.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  /// Runs a whole pickle and gives the value it stops with.
  ///
  /// - Throws: `PickleDefect` at the first instruction that is unknown, forbidden or wrong.
  mutating func run(_ cursor: inout PickleCursor) throws(PickleDefect) -> PickleValue {
    for _ in 0..<maximumInstructionCount {
      let byte = UInt8(truncatingIfNeeded: try cursor.unsigned(1))
      guard let opcode = PickleOpcode(rawValue: byte) else {
        throw PickleDefect(
          "has the instruction \(byte), which a checkpoint of weights never needs; "
            + "it was not executed", code: .forbidden)
      }
      if opcode == .stop { return try result(cursor) }
      try step(opcode, &cursor)
    }
    throw PickleDefect(
      "has more than \(maximumInstructionCount) instructions, which no checkpoint of weights "
        + "needs")
  }

  private mutating func result(
    _ cursor: borrowing PickleCursor
  ) throws(PickleDefect) -> PickleValue {
    let value = try pop()
    guard cursor.isAtEnd, stack.isEmpty, marks.isEmpty else {
      throw PickleDefect("does not end where it stops")
    }
    return value
  }

  private mutating func step(
    _ opcode: PickleOpcode, _ cursor: inout PickleCursor
  ) throws(PickleDefect) {
    switch opcode {
    case .protocolVersion:
      let version = try cursor.unsigned(1)
      guard 2...5 ~= version else {
        throw PickleDefect("is of protocol \(version), expected 2 to 5")
      }
    // Frames tell a reader of a stream how much to fetch; all of this is in memory.
    case .frame: _ = try cursor.length(8)
    case .stop: break

    case .none: stack.append(.none)
    case .newTrue: stack.append(.boolean(true))
    case .newFalse: stack.append(.boolean(false))
    case .int32: stack.append(.integer(try cursor.signed(4)))
    case .uint8: stack.append(.integer(Int(try cursor.unsigned(1))))
    case .uint16: stack.append(.integer(Int(try cursor.unsigned(2))))
    case .long: stack.append(.integer(try cursor.signed(try cursor.length(1))))
    case .float64: stack.append(.number(try cursor.double()))
    case .text8: stack.append(.text(try cursor.text(try cursor.length(1))))
    case .text32: stack.append(.text(try cursor.text(try cursor.length(4))))
    case .text64: stack.append(.text(try cursor.text(try cursor.length(8))))

    case .mark: marks.append(stack.count)
    case .emptyTuple: stack.append(heap.tuple([]))
    case .tuple1: try pushTuple(1)
    case .tuple2: try pushTuple(2)
    case .tuple3: try pushTuple(3)
    case .tuple: stack.append(heap.tuple(try popToMark()))
    case .emptyList: stack.append(heap.list())
    case .append: try append([try pop()])
    case .appends: try append(try popToMark())
    case .emptyDictionary: stack.append(heap.dictionary())
    case .setItem:
      let value = try pop()
      try setItems([try pop(), value])
    case .setItems: try setItems(try popToMark())

    case .put8: memo[Int(try cursor.unsigned(1))] = try top()
    case .put32: memo[Int(try cursor.unsigned(4))] = try top()
    case .memoize: memo[memo.count] = try top()
    case .get8: try recall(Int(try cursor.unsigned(1)))
    case .get32: try recall(Int(try cursor.unsigned(4)))

    case .global:
      let module = try cursor.line()
      try name(try cursor.line(), in: module)
    case .stackGlobal:
      guard case .text(let function) = try pop(), case .text(let module) = try pop() else {
        throw PickleDefect("names a function by something that is no text")
      }
      try name(function, in: module)
    case .reduce:
      let arguments = try pop()
      stack.append(try heap.call(try pop(), arguments))
    case .build:
      // The attributes of an object; those of an OrderedDict are notes of PyTorch's own.
      guard case .dictionary = try pop(), case .dictionary = try top() else {
        throw PickleDefect("sets attributes of something that is no dictionary", code: .forbidden)
      }
    case .persistentID: stack.append(try heap.storage(try pop()))
    }
  }

  // MARK: - The stack

  private func top() throws(PickleDefect) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.last else {
      throw PickleDefect("takes a value from an empty stack")
    }
    return value
  }

  private mutating func pop() throws(PickleDefect) -> PickleValue {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func popToMark() throws(PickleDefect) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw PickleDefect("ends a container that none began") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func pushTuple(_ count: Int) throws(PickleDefect) {
    var members: [PickleValue] = []
    for _ in 0..<count { members.append(try pop()) }
    stack.append(heap.tuple(members.reversed()))
  }

  private mutating func append(_ values: [PickleValue]) throws(PickleDefect) {
    guard case .list(let index) = try top() else {
      throw PickleDefect("appends to \(try top().kind), expected a list")
    }
    heap.sequences[index] += values
  }

  private mutating func setItems(_ keysAndValues: [PickleValue]) throws(PickleDefect) {
    guard case .dictionary(let index) = try top() else {
      throw PickleDefect("sets members of \(try top().kind), expected a dictionary")
    }
    guard keysAndValues.count.isMultiple(of: 2) else {
      throw PickleDefect("sets a member without a value")
    }
    for position in stride(from: 0, to: keysAndValues.count, by: 2) {
      heap.dictionaries[index].append((keysAndValues[position], keysAndValues[position + 1]))
    }
  }

  private mutating func recall(_ number: Int) throws(PickleDefect) {
    guard let value = memo[number] else {
      throw PickleDefect("asks for value \(number) of its memo, which was never put there")
    }
    stack.append(value)
  }

  private mutating func name(_ name: String, in module: String) throws(PickleDefect) {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw PickleDefect(
        "wants to call '\((module + "." + name).prefix(100))', which a checkpoint of weights never "
          + "does; it was not executed", code: .forbidden)
    }
    stack.append(.global(global))
  }
}
