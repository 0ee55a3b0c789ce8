/// What a merge queue asks: which neighbours become one part, in which order, and what they become.
protocol MergeRule {
  associatedtype Part

  /// The place of the pair in the order of merges, `MergeTable.noMerge` for one that stays apart.
  func rank(_ left: Part, _ right: Part) -> UInt32

  /// What a pair of this rank becomes.
  func merged(_ left: Part, _ right: Part, rank: UInt32) -> Part
}

/// The parts of one word while pairs of them merge, lowest rank first, leftmost first among equals.
///
/// Parts form a doubly linked list in one array; the pairs that can merge wait in a heap. Each merge
/// removes one part and adds at most two pairs, so a word of n characters takes O(n log n), however
/// long it is: SentencePiece-like models see a whole text as one word.
struct MergeQueue<Rule: MergeRule> {
  private struct Symbol {
    var part: Rule.Part
    var previous: Int32
    var next: Int32
    /// The rank of the pair that begins here; a pair in the heap with another one is out of date.
    var pairRank: UInt32
  }

  private static var none: Int32 { -1 }

  private let rule: Rule
  private var symbols: [Symbol]
  /// Pairs as rank in the upper half and the position of the left part in the lower.
  private var heap: MinimumHeap

  init(_ parts: [Rule.Part], _ rule: Rule) {
    self.rule = rule
    var pairs: [UInt64] = []
    symbols = []
    symbols.reserveCapacity(parts.count)
    for (position, part) in parts.enumerated() {
      let isLast = position == parts.count - 1
      let rank = isLast ? MergeTable.noMerge : rule.rank(part, parts[position + 1])
      if rank != MergeTable.noMerge { pairs.append(Self.pair(rank, Int32(position))) }
      symbols.append(
        Symbol(
          part: part, previous: Int32(position) - 1,
          next: isLast ? Self.none : Int32(position) + 1, pairRank: rank))
    }
    heap = MinimumHeap(pairs)
  }

  /// Merges until no pair is left, then hands out the parts in order.
  mutating func finish(_ body: (Rule.Part) -> Void) {
    while let pair = heap.popFirst() {
      let position = Int32(truncatingIfNeeded: pair)
      let rank = UInt32(truncatingIfNeeded: pair >> 32)
      if symbols[Int(position)].pairRank == rank { merge(at: position, rank) }
    }
    // The first part absorbs and is never absorbed, so the list begins at 0.
    var position: Int32 = symbols.isEmpty ? Self.none : 0
    while position != Self.none {
      body(symbols[Int(position)].part)
      position = symbols[Int(position)].next
    }
  }

  private mutating func merge(at position: Int32, _ rank: UInt32) {
    let absorbed = symbols[Int(position)].next
    let next = symbols[Int(absorbed)].next
    symbols[Int(absorbed)].pairRank = MergeTable.noMerge
    symbols[Int(position)].part = rule.merged(
      symbols[Int(position)].part, symbols[Int(absorbed)].part, rank: rank)
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
    if symbol.next != Self.none { rank = rule.rank(symbol.part, symbols[Int(symbol.next)].part) }
    symbols[Int(position)].pairRank = rank
    if rank != MergeTable.noMerge { heap.insert(Self.pair(rank, position)) }
  }

  private static func pair(_ rank: UInt32, _ position: Int32) -> UInt64 {
    UInt64(rank) << 32 | UInt64(UInt32(bitPattern: position))
  }
}
