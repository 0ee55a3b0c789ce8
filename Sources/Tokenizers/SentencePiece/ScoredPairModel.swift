/// SentencePiece's byte-pair encoding: the neighbours that make the piece of highest score merge
/// first, the leftmost among equals.
///
/// It has no list of merges: any two parts merge whose text together is a piece. `BytePairModel`
/// ranks pairs instead, which differs where two ways to make one piece compete: in `aaa`.
struct ScoredPairModel: Sendable {
  let vocabulary: TokenTable
  /// The place of each piece in descending order of scores, by id; equal scores share a place, and
  /// `MergeTable.noMerge` stands for a piece that no merge makes.
  let ranks: [UInt32]
  /// What stands for a run of characters that the vocabulary lacks.
  let unknown: Int32?
  let byteFallback: ByteFallback
  /// The number of bytes of the longest piece.
  let longestPiece: Int

  /// Appends the tokens of a text.
  func encode(_ text: Span<UInt8>, into result: inout [Int]) {
    var characters: [Range<Int32>] = []
    characters.reserveCapacity(text.count)
    var offset = 0
    while offset < text.count {
      let end = offset + text.scalar(at: offset).width
      characters.append(Int32(offset)..<Int32(end))
      offset = end
    }
    var queue = MergeQueue(characters, ScoredMerges(self, in: Array(copying: text)))
    var followsUnknown = false
    queue.finish { part in
      let piece = text.extracting(Int(part.lowerBound)..<Int(part.upperBound))
      if let id = vocabulary.id(of: piece) {
        result.append(Int(id))
        followsUnknown = false
      } else if !byteFallback.append(piece, to: &result), let unknown {
        if !followsUnknown { result.append(Int(unknown)) }
        followsUnknown = true
      }
    }
  }
}

/// The merges of one text under a `ScoredPairModel`; a part is a range of its bytes.
private struct ScoredMerges: MergeRule {
  private let model: ScoredPairModel
  private let text: [UInt8]

  init(_ model: ScoredPairModel, in text: [UInt8]) {
    self.model = model
    self.text = text
  }

  func rank(_ left: Range<Int32>, _ right: Range<Int32>) -> UInt32 {
    let range = Int(left.lowerBound)..<Int(right.upperBound)
    guard range.count <= model.longestPiece,
      let id = model.vocabulary.id(of: text.span.extracting(range))
    else { return MergeTable.noMerge }
    return model.ranks[Int(id)]
  }

  func merged(_ left: Range<Int32>, _ right: Range<Int32>, rank: UInt32) -> Range<Int32> {
    left.lowerBound..<right.upperBound
  }
}
