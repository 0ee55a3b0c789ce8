/// Which pairs of tokens become one, and which pair comes first.
struct MergeTable: MergeRule, Sendable {
  /// The rank of a pair that does not merge.
  static let noMerge = UInt32.max

  /// The place of each pair in the list of merges.
  private var ranks: [UInt64: UInt32] = [:]
  /// The token that the merge of each rank makes.
  private var results: [Int32] = []

  init(minimumCapacity: Int) {
    ranks.reserveCapacity(minimumCapacity)
    results.reserveCapacity(minimumCapacity)
  }

  /// Adds the next merge; of two merges of one pair, the later counts.
  mutating func append(_ left: Int32, _ right: Int32, result: Int32) {
    ranks[Self.key(left, right)] = UInt32(results.count)
    results.append(result)
  }

  func rank(_ left: Int32, _ right: Int32) -> UInt32 {
    ranks[Self.key(left, right)] ?? Self.noMerge
  }

  func merged(_ left: Int32, _ right: Int32, rank: UInt32) -> Int32 { results[Int(rank)] }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}
