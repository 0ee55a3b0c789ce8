/// Byte-pair encoding: a word starts as its characters, and pairs merge in the order learned.
struct BytePairModel: Sendable {
  let vocabulary: TokenTable
  let merges: MergeTable
  /// What stands for a character that the vocabulary lacks; without it the character is dropped,
  /// as in the original.
  let unknown: Int32?
  /// Whether neighbouring unknown characters share one token.
  let fusesUnknown: Bool
  /// How characters that the vocabulary lacks are spelled.
  let byteFallback: ByteFallback
  /// Whether a word that is a token itself is taken whole, whatever the merges say.
  let takesWholeWords: Bool

  /// Appends the tokens of one word, UTF-8 that is not empty.
  func encode(_ word: Span<UInt8>, into result: inout [Int]) {
    if takesWholeWords, let id = vocabulary.id(of: word) {
      result.append(Int(id))
      return
    }
    let ids = characters(of: word)
    if ids.count < 2 {
      result += ids.map { Int($0) }
    } else {
      var queue = MergeQueue(ids, merges)
      queue.finish { result.append(Int($0)) }
    }
  }

  /// The tokens that a word starts from.
  private func characters(of word: Span<UInt8>) -> [Int32] {
    var ids: [Int32] = []
    ids.reserveCapacity(word.count)
    // An unknown character waits for a known one, because its neighbours may join it. Characters
    // spelled in bytes do not end the wait: the original has it so, and the ids must be equal.
    var hasPendingUnknown = false
    var offset = 0
    while offset < word.count {
      let width = word.scalar(at: offset).width
      let character = word.extracting(offset..<offset + width)
      offset += width
      if let id = vocabulary.id(of: character) {
        if hasPendingUnknown, let unknown { ids.append(unknown) }
        hasPendingUnknown = false
        ids.append(id)
      } else if !byteFallback.append(character, to: &ids), let unknown {
        if hasPendingUnknown && !fusesUnknown { ids.append(unknown) }
        hasPendingUnknown = true
      }
    }
    if hasPendingUnknown, let unknown { ids.append(unknown) }
    return ids
  }
}
