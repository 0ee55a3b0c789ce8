import Tensors

// What the names of `PickleGlobal` do when they are called.
extension PickleHeap {
  /// PyTorch's own limit is 64 axes.
  private static let maximumRank = 64

  /// The result of calling `function`, or a `PickleDefect` when it takes no such arguments.
  mutating func call(
    _ function: PickleValue, _ arguments: PickleValue
  ) throws(PickleDefect) -> PickleValue {
    guard case .global(let global) = function else {
      throw PickleDefect("calls \(function.kind), which is no function", code: .forbidden)
    }
    guard let arguments = members(of: arguments) else {
      throw PickleDefect("calls a function without a tuple of arguments")
    }
    switch global {
    case .orderedDictionary:
      guard arguments.isEmpty else { break }
      return dictionary()
    case .size:
      guard let only = arguments.first, arguments.count == 1, let members = members(of: only) else {
        break
      }
      return tuple(members)
    case .rebuildParameter:
      guard let first = arguments.first, arguments.count == 3, case .tensor = first else { break }
      return first
    case .rebuildTensor:
      guard arguments.count == 6 || arguments.count == 7, isEmpty(arguments.dropFirst(6)) else {
        break
      }
      return try rebuildTensor(arguments, as: nil)
    case .rebuildTypedTensor:
      guard arguments.count == 7 || arguments.count == 8, isEmpty(arguments.dropFirst(7)),
        case .global(.elementType(let elementType)) = arguments[6]
      else { break }
      return try rebuildTensor(arguments, as: elementType)
    case .storageClass, .elementType: break
    }
    throw PickleDefect("calls \(global) with arguments that PyTorch never gives it")
  }

  /// A tensor from (storage, offset, size, stride, requires_grad, backward_hooks).
  ///
  /// The last two matter to training alone.
  private mutating func rebuildTensor(
    _ arguments: [PickleValue], as elementType: ElementType?
  ) throws(PickleDefect) -> PickleValue {
    guard case .storage(let index) = arguments[0], case .integer(let offset) = arguments[1],
      let extents = integers(arguments[2], maximumCount: Self.maximumRank),
      let strides = integers(arguments[3], maximumCount: Self.maximumRank),
      extents.count == strides.count
    else {
      throw PickleDefect("makes a tensor of something else than storage, offset, size, stride")
    }
    let storage = storages[index]
    guard let type = elementType ?? storage.elementType,
      storage.elementType == nil || storage.elementType == type
    else { throw PickleDefect("gives a tensor another element type than its storage") }
    tensors.append(
      PickledTensor(
        storage: storage, elementType: type, offset: offset, extents: extents, strides: strides))
    return .tensor(tensors.count - 1)
  }

  /// Whether the metadata of a tensor, which could say that it is negated or conjugated, is empty.
  private func isEmpty(_ metadata: ArraySlice<PickleValue>) -> Bool {
    metadata.allSatisfy {
      switch $0 {
      case .none: true
      case .dictionary(let index): dictionaries[index].isEmpty
      default: false
      }
    }
  }

  /// The storage that `("storage", class, key, location, count)` stands for.
  mutating func storage(_ id: PickleValue) throws(PickleDefect) -> PickleValue {
    guard case .tuple(let index) = id, sequences[index].count == 5,
      sequences[index][0] == .text("storage"),
      case .global(.storageClass(let elementType)) = sequences[index][1],
      case .text(let key) = sequences[index][2],
      // The device, such as `cuda:0`, is where the elements were, not what they are.
      case .text = sequences[index][3],
      case .integer(let count) = sequences[index][4]
    else { throw PickleDefect("refers to something outside that is no storage", code: .forbidden) }
    storages.append(PickledStorage(key: key, elementType: elementType, count: count))
    return .storage(storages.count - 1)
  }
}

extension PickleGlobal: CustomStringConvertible {
  var description: String {
    switch self {
    case .orderedDictionary: "'collections.OrderedDict'"
    case .rebuildTensor: "'torch._utils._rebuild_tensor_v2'"
    case .rebuildTypedTensor: "'torch._utils._rebuild_tensor_v3'"
    case .rebuildParameter: "'torch._utils._rebuild_parameter'"
    case .size: "'torch.Size'"
    case .storageClass: "the class of a storage"
    case .elementType: "an element type"
    }
  }
}
