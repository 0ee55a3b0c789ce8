/// The tokens of one word while pairs of them merge, lowest rank first, leftmost first among equals.
///
/// Tokens form a doubly linked list in one array; the pairs that can merge wait in a heap. Each merge
/// removes one token and adds at most two pairs, so a word of n characters takes O(n log n), however
/// long it is: SentencePiece-like models see a whole text as one word.
struct MergeQueue {
  private struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
    /// The rank of the pair that begins here; a pair in the heap with another one is out of date.
    var pairRank: UInt32
  }

  private static let none: Int32 = -1

  private let merges: MergeTable
  private var symbols: [Symbol]
  /// Pairs as rank in the upper half and the position of the left token in the lower.
  private var heap: MinimumHeap

  init(_ ids: [Int32], merges: MergeTable) {
    self.merges = merges
    var pairs: [UInt64] = []
    symbols = []
    symbols.reserveCapacity(ids.count)
    for (position, id) in ids.enumerated() {
      let isLast = position == ids.count - 1
      let rank = isLast ? MergeTable.noMerge : merges.rank(id, ids[position + 1])
      if rank != MergeTable.noMerge { pairs.append(Self.pair(rank, Int32(position))) }
      symbols.append(
        Symbol(
          id: id, previous: Int32(position) - 1,
          next: isLast ? Self.none : Int32(position) + 1, pairRank: rank))
    }
    heap = MinimumHeap(pairs)
  }

  /// Merges until no pair is left, then appends the tokens.
  mutating func finish(into result: inout [Int]) {
    while let pair = heap.popFirst() {
      let position = Int32(truncatingIfNeeded: pair)
      let rank = UInt32(truncatingIfNeeded: pair >> 32)
      if symbols[Int(position)].pairRank == rank { merge(at: position, rank) }
    }
    // The first token absorbs and is never absorbed, so the list begins at 0.
    var position: Int32 = symbols.isEmpty ? Self.none : 0
    while position != Self.none {
      result.append(Int(symbols[Int(position)].id))
      position = symbols[Int(position)].next
    }
  }

  private mutating func merge(at position: Int32, _ rank: UInt32) {
    let absorbed = symbols[Int(position)].next
    let next = symbols[Int(absorbed)].next
    symbols[Int(absorbed)].pairRank = MergeTable.noMerge
    symbols[Int(position)].id = merges.result(ofRank: rank)
    symbols[Int(position)].next = next
    if next != Self.none { symbols[Int(next)].previous = position }
    rankPair(at: position)
    let previous = symbols[Int(position)].previous
    if previous != Self.none { rankPair(at: previous) }
  }

  /// Looks the pair at `position` up anew and queues it when it can merge.
  private mutating func rankPair(at position: Int32) {
    let symbol = symbols[Int(position)]
    var rank = MergeTable.noMerge
    if symbol.next != Self.none { rank = merges.rank(symbol.id, symbols[Int(symbol.next)].id) }
    symbols[Int(position)].pairRank = rank
    if rank != MergeTable.noMerge { heap.insert(Self.pair(rank, position)) }
  }

  private static func pair(_ rank: UInt32, _ position: Int32) -> UInt64 {
    UInt64(rank) << 32 | UInt64(UInt32(bitPattern: position))
  }
}
