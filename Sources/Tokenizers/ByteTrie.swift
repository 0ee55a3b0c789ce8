/// Strings of bytes, found by walking a text byte by byte.
///
/// A node is a number and the edges of all nodes share one hash table, so that 250,000 pieces are
/// a few arrays and one step of the walk is one probe.
struct ByteTrie: Sendable {
  static let root: Int32 = 0
  /// What stands for no node, and for no value.
  static let none: Int32 = -1

  private struct Edge {
    /// The parent and the byte; `UInt64.max` where the slot is free.
    var key: UInt64
    var child: Int32
  }

  private var edges: [Edge]
  /// The value of the string that ends at each node.
  private var values: [Int32] = [none]
  /// How far the hash moves down to give a slot: 64 less the logarithm of their number.
  private var shift: Int

  init() {
    shift = 64 - 8
    edges = Array(repeating: Edge(key: .max, child: Self.none), count: 256)
  }

  var isEmpty: Bool { values.count == 1 }

  /// Adds a string, which must not be empty.
  ///
  /// - Returns: false, with nothing changed, when the string is there already.
  @discardableResult
  mutating func insert(_ bytes: some Sequence<UInt8>, value: Int32) -> Bool {
    var node = Self.root
    for byte in bytes {
      let slot = slot(of: node, byte)
      if edges[slot].key != .max {
        node = edges[slot].child
        continue
      }
      let child = Int32(values.count)
      values.append(Self.none)
      edges[slot] = Edge(key: Self.key(node, byte), child: child)
      node = child
      if values.count * 2 > edges.count { grow() }
    }
    guard values[Int(node)] == Self.none else { return false }
    values[Int(node)] = value
    return true
  }

  /// The node after `byte`, or `none`.
  func child(of node: Int32, _ byte: UInt8) -> Int32 { edges[slot(of: node, byte)].child }

  /// The value of the string that ends at `node`, or `none`.
  func value(of node: Int32) -> Int32 { values[Int(node)] }

  /// The longest string that `text` has at `start`.
  func longestMatch(in text: Span<UInt8>, at start: Int) -> (end: Int, value: Int32)? {
    var longest: (end: Int, value: Int32)?
    var node = Self.root
    var position = start
    while position < text.count {
      node = child(of: node, text[position])
      if node == Self.none { break }
      position += 1
      let value = value(of: node)
      if value != Self.none { longest = (position, value) }
    }
    return longest
  }

  private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
    UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
  }

  /// The slot of an edge, or the free one where it would go.
  private func slot(of node: Int32, _ byte: UInt8) -> Int {
    let key = Self.key(node, byte)
    // Fibonacci hashing: the upper bits of a product with 2^64 divided by the golden ratio.
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
    while edges[slot].key != .max, edges[slot].key != key { slot = (slot + 1) & (edges.count - 1) }
    return slot
  }

  private mutating func grow() {
    let old = edges
    shift -= 1
    edges = Array(repeating: Edge(key: .max, child: Self.none), count: old.count * 2)
    for edge in old where edge.key != .max {
      edges[
        slot(of: Int32(truncatingIfNeeded: edge.key >> 8), UInt8(truncatingIfNeeded: edge.key))] =
        edge
    }
  }
}
