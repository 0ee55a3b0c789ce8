import Tensors

/// What the machine of a pickle computes with.
///
/// Containers are positions in a `PickleHeap`. A pickle may nest a million tuples or put a list
/// into itself; here neither makes anything that recurses or keeps itself alive.
enum PickleValue: Hashable, Sendable {
  case none
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case global(PickleGlobal)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case storage(Int)
  case tensor(Int)

  /// The kind of value in words, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .boolean: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .text: "a string"
    case .global: "a class or function"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }
}

/// Everything of variable size that a pickle has made.
struct PickleHeap {
  /// Tuples and lists.
  var sequences: [[PickleValue]] = []
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var storages: [PickledStorage] = []
  var tensors: [PickledTensor] = []

  mutating func tuple(_ members: [PickleValue]) -> PickleValue {
    sequences.append(members)
    return .tuple(sequences.count - 1)
  }

  mutating func list() -> PickleValue {
    sequences.append([])
    return .list(sequences.count - 1)
  }

  mutating func dictionary() -> PickleValue {
    dictionaries.append([])
    return .dictionary(dictionaries.count - 1)
  }

  /// The integers of a tuple, a list or a `torch.Size`; nil for anything else.
  ///
  /// - Parameter maximumCount: nil is given for longer ones too.
  func integers(_ value: PickleValue, maximumCount: Int) -> [Int]? {
    guard let members = members(of: value), members.count <= maximumCount else { return nil }
    var integers: [Int] = []
    for case .integer(let integer) in members { integers.append(integer) }
    return integers.count == members.count ? integers : nil
  }

  /// The members of a tuple or a list; nil for anything else.
  func members(of value: PickleValue) -> [PickleValue]? {
    switch value {
    case .tuple(let index), .list(let index): sequences[index]
    default: nil
    }
  }
}

/// A run of elements that tensors are views of, as the pickle describes it.
struct PickledStorage: Hashable, Sendable {
  /// The name of the archive's entry, below `data/`.
  let key: String
  /// Nil for bytes that get their type from each tensor.
  let elementType: ElementType?
  /// Elements, or bytes when there is no type.
  let count: Int
}

/// A tensor as the pickle describes it; nothing about its numbers has been checked.
struct PickledTensor: Sendable {
  let storage: PickledStorage
  let elementType: ElementType
  /// The first element, counted in elements of the storage.
  let offset: Int
  let extents: [Int]
  /// The distance between neighbours along each axis, in elements.
  let strides: [Int]
}
