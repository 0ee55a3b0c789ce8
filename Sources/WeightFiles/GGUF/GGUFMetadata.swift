import OrderedCollections

/// The keys and values at the start of a GGUF file, in their order.
///
///     var metadata: GGUFMetadata = ["general.architecture": .string("llama")]
///     metadata["general.file_type"] = .uint32(0)
public struct GGUFMetadata: Sendable, Hashable {
  private var values: OrderedDictionary<String, GGUFValue> = [:]

  public init() {}

  public var count: Int { values.count }

  public var keys: [String] { Array(values.keys) }

  /// The keys that `isIncluded` takes, with their values.
  public func filtered(_ isIncluded: (String) -> Bool) -> GGUFMetadata {
    var metadata = GGUFMetadata()
    metadata.values = values.filter { isIncluded($0.key) }
    return metadata
  }

  /// The value of `key`, or nil when there is none; a new key goes to the end.
  public subscript(key: String) -> GGUFValue? {
    get { values[key] }
    set { values[key] = newValue }
  }
}

extension GGUFMetadata: ExpressibleByDictionaryLiteral {
  /// - Precondition: the keys differ.
  public init(dictionaryLiteral elements: (String, GGUFValue)...) {
    values = OrderedDictionary(uniqueKeysWithValues: elements)
  }
}

extension GGUFMetadata: Sequence {
  public func makeIterator() -> some IteratorProtocol<(key: String, value: GGUFValue)> {
    values.elements.makeIterator()
  }
}
