import OrderedCollections

/// The members of a JSON object, in the order of the text.
///
/// Two keys are the same when their bytes are. Swift compares strings by canonical equivalence, for
/// which `"é"` and `"e\u{301}"` are one key; a tokenizer's vocabulary has both.
public struct JSONObject: Sendable, Hashable {
  private var members: OrderedDictionary<ByteKey, JSONValue>

  private struct ByteKey: Sendable, Hashable {
    let string: String

    static func == (a: ByteKey, b: ByteKey) -> Bool { a.string.utf8.elementsEqual(b.string.utf8) }

    func hash(into hasher: inout Hasher) {
      var copy = string
      copy.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }

  public init() { members = [:] }

  /// An object of these members; a key that comes again replaces the value before.
  public init(_ elements: some Sequence<(String, JSONValue)>) {
    self.init()
    for (key, value) in elements { members[ByteKey(string: key)] = value }
  }

  public subscript(key: String) -> JSONValue? {
    get { members[ByteKey(string: key)] }
    set { members[ByteKey(string: key)] = newValue }
  }

  /// Sets the value of `key` and gives the one before.
  public mutating func updateValue(_ value: JSONValue, forKey key: String) -> JSONValue? {
    members.updateValue(value, forKey: ByteKey(string: key))
  }

  /// A key that another key equals in Swift's eyes though not in bytes; nil when there is none.
  ///
  /// What is looked up by such a name cannot live in a Swift dictionary beside its twin.
  public var ambiguousKey: String? {
    var seen: Set<String> = []
    return keys.first { !seen.insert($0).inserted }
  }

  public var keys: some RandomAccessCollection<String> { members.keys.lazy.map(\.string) }
}

extension JSONObject: RandomAccessCollection {
  public typealias Element = (key: String, value: JSONValue)

  public var startIndex: Int { 0 }
  public var endIndex: Int { members.count }

  public subscript(position: Int) -> Element {
    let member = members.elements[position]
    return (member.key.string, member.value)
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
