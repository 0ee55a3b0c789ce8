import SystemPackage

/// The named tensors that a pickle holds: a `state_dict`, alone or with what a trainer keeps beside.
struct PickledStateDict {
  /// In the order of the file.
  let tensors: [(name: String, tensor: PickledTensor)]
  /// What else the file holds and nobody asked for, such as `optimizer`; names of a trainer's keys.
  let ignoredKeys: [String]

  /// The keys under which trainers keep the state dict beside other things.
  private static let wrappers = ["state_dict", "model_state_dict", "model"]

  /// Takes apart the value that a pickle stopped with.
  ///
  /// - Throws: `PickleDefect` when it is no dictionary of tensors, or two names are one.
  init(_ value: PickleValue, in heap: PickleHeap) throws(PickleDefect) {
    guard case .dictionary(let index) = value else {
      throw PickleDefect("holds \(value.kind), expected a state_dict: names and tensors")
    }
    let members = heap.dictionaries[index]
    let inner = members.filter { key, value in
      if case .text(let name) = key, case .dictionary = value {
        return Self.wrappers.contains(name)
      }
      return false
    }
    // A dictionary is no tensor, so this one cannot be a state dict itself.
    if let (key, value) = inner.first, case .dictionary(let index) = value {
      guard inner.count == 1 else {
        throw PickleDefect(
          "holds several dictionaries that could be the state_dict. Save one alone")
      }
      tensors = try Self.tensors(of: heap.dictionaries[index], in: heap)
      ignoredKeys = members.lazy.map(\.key).filter { $0 != key }.map(\.keyDescription)
    } else {
      tensors = try Self.tensors(of: members, in: heap)
      ignoredKeys = []
    }
  }

  private static func tensors(
    of members: [(key: PickleValue, value: PickleValue)], in heap: PickleHeap
  ) throws(PickleDefect) -> [(name: String, tensor: PickledTensor)] {
    var names: Set<String> = []
    var tensors: [(name: String, tensor: PickledTensor)] = []
    for (key, value) in members {
      guard case .text(let name) = key else {
        throw PickleDefect("has \(key.kind) for the name of a tensor, expected a string")
      }
      guard case .tensor(let index) = value else {
        throw PickleDefect(
          "has \(value.kind) under '\(key.keyDescription)', expected a tensor. "
            + "Save model.state_dict() alone")
      }
      guard names.insert(name).inserted else {
        throw PickleDefect("has two tensors named '\(key.keyDescription)'. Rename one")
      }
      tensors.append((name, heap.tensors[index]))
    }
    return tensors
  }
}

extension PickleValue {
  /// A key as messages call it, however long it is.
  fileprivate var keyDescription: String {
    if case .text(let name) = self { String(name.prefix(200)) } else { kind }
  }
}
