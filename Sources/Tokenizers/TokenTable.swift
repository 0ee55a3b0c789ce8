/// The tokens of a model, by id and by their bytes.
///
/// All bytes lie in one buffer and the index is a table of ids with linear probing, so that a piece
/// of text is looked up without making a key of it.
struct TokenTable: Sendable {
  /// Larger ids are an attack on memory; the largest published vocabularies have 262,144 tokens.
  static let maximumVocabularySize = 1 << 22

  private static let vacant: Int32 = -1

  private var bytes: [UInt8] = []
  /// Where the bytes of each id are; nil for an id that is not used.
  private var ranges: [Range<Int>?]
  /// Ids at the place that the hash of their bytes gives, or the next free one.
  private var slots: [Int32]

  /// An empty table with room for `count` tokens.
  init(count: Int) {
    ranges = []
    var slotCount = 16
    while slotCount < count * 2 { slotCount *= 2 }
    slots = Array(repeating: Self.vacant, count: slotCount)
  }

  /// The highest id plus one.
  var endID: Int { ranges.count }

  /// Adds a token; the caller has made sure that its bytes are new and `id` is in range.
  ///
  /// - Returns: false when the id is taken.
  mutating func insert(_ token: [UInt8], id: Int) -> Bool {
    if id >= ranges.count {
      ranges += repeatElement(nil, count: id + 1 - ranges.count)
    }
    guard ranges[id] == nil else { return false }
    ranges[id] = bytes.count..<bytes.count + token.count
    bytes += token
    slots[slot(of: token.span)] = Int32(id)
    return true
  }

  /// The bytes of a token, or nil when no token has this id.
  subscript(id: Int) -> [UInt8]? {
    guard ranges.indices.contains(id), let range = ranges[id] else { return nil }
    return Array(bytes[range])
  }

  /// The id of the token with these bytes.
  func id(of token: Span<UInt8>) -> Int32? {
    let id = slots[slot(of: token)]
    return id == Self.vacant ? nil : id
  }

  func id(of token: [UInt8]) -> Int32? { id(of: token.span) }

  /// The slot that holds the token, or the vacant one where it would go.
  private func slot(of token: Span<UInt8>) -> Int {
    var hasher = Hasher()
    unsafe token.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    var slot = hasher.finalize() & (slots.count - 1)
    while slots[slot] != Self.vacant, !hasBytes(token, id: slots[slot]) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func hasBytes(_ token: Span<UInt8>, id: Int32) -> Bool {
    guard let range = ranges[Int(id)], range.count == token.count else { return false }
    for index in token.indices where bytes[range.lowerBound + index] != token[index] {
      return false
    }
    return true
  }
}
