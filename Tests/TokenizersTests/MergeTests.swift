import Testing

@testable import Tokenizers

/// A linear congruential generator, the same numbers in every run.
private struct RepeatableNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 33
  }
}

struct MergeTests {
  /// The definition: as long as any pair merges, merge the leftmost of lowest rank.
  private func mergedByDefinition(_ ids: [Int32], _ merges: MergeTable) -> [Int] {
    var ids = ids
    while true {
      let ranks = zip(ids, ids.dropFirst()).map { merges.rank($0, $1) }
      guard let rank = ranks.min(), rank != MergeTable.noMerge,
        let position = ranks.firstIndex(of: rank)
      else { return ids.map { Int($0) } }
      ids.replaceSubrange(position...position + 1, with: [merges.merged(0, 0, rank: rank)])
    }
  }

  @Test func `the queue merges what the definition merges`() {
    var random = RepeatableNumbers(state: 1)
    for _ in 0..<200 {
      var merges = MergeTable(minimumCapacity: 12)
      for result in 4..<16 as Range<Int32> {
        merges.append(
          .random(in: 0..<result, using: &random), .random(in: 0..<result, using: &random),
          result: result)
      }
      let ids = (0..<40).map { _ in Int32.random(in: 0..<4, using: &random) }
      var queue = MergeQueue(ids, merges)
      var result: [Int] = []
      queue.finish { result.append(Int($0)) }
      #expect(result == mergedByDefinition(ids, merges))
    }
  }

  @Test func `the heap gives what sorting gives`() {
    let numbers = (0..<300).map { UInt64($0 * 7919 % 300) }
    var heap = MinimumHeap(Array(numbers[..<200]))
    for number in numbers[200...] { heap.insert(number) }
    var popped: [UInt64] = []
    while let number = heap.popFirst() { popped.append(number) }
    #expect(popped == (0..<300).map { UInt64($0) })
  }

  @Test func `the byte alphabet writes every byte as one character and reads it back`() {
    #expect(Set(ByteAlphabet.scalars).count == 256)
    #expect(ByteAlphabet.scalars[0x20] == "Ġ" && ByteAlphabet.scalars[0x0A] == "Ċ")
    #expect(ByteAlphabet.scalars[0x41] == "A" && ByteAlphabet.scalars[0xAD] == "Ń")
    let bytes = Array(UInt8.min...UInt8.max)
    var encoded: [UInt8] = []
    ByteAlphabet.encode(bytes.span, into: &encoded)
    #expect(ByteAlphabet.decode(encoded) == bytes)
    #expect(ByteAlphabet.decode(Array("a b".utf8)) == Array("a b".utf8))
  }

  @Test func `a byte token is read only in its exact form`() {
    #expect(ByteToken.byte(of: Array("<0x0A>".utf8)) == 0x0A)
    #expect(ByteToken.byte(of: ByteToken.bytes(of: 0xFE)) == 0xFE)
    #expect(ByteToken.byte(of: Array("<0x0A".utf8)) == nil)
    #expect(ByteToken.byte(of: Array("<0xZZ>".utf8)) == nil)
  }
}
