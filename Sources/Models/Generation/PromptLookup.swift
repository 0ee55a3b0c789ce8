/// Guesses how a text goes on from what followed its last tokens when they came before.
///
/// Answers repeat names, phrases and whole passages of their prompt. A guess costs little: all its
/// tokens go through the model in the pass that one token needs anyway, and what the model would not
/// have written is dropped. After Saxena, "Prompt lookup decoding", 2023.
struct PromptLookup {
  /// The source, the prompt and what was generated.
  private(set) var text: [Int]
  /// How many candidates are worth trying now.
  private(set) var candidateCount: Int
  private let maximumCandidateCount: Int

  /// Lengths of the last tokens that are looked up, the longest first: one token alone comes before
  /// too often to say what follows.
  private static let matchLengths = [4, 3, 2]

  init(_ text: [Int], maximumCandidateCount: Int) {
    self.text = text
    self.maximumCandidateCount = maximumCandidateCount
    candidateCount = maximumCandidateCount
  }

  mutating func append(_ token: Int) { text.append(token) }

  /// What followed the latest earlier occurrence of the last tokens; empty when there is none.
  func candidates(atMost limit: Int) -> ArraySlice<Int> {
    let count = min(limit, candidateCount)
    guard count > 0 else { return [] }
    for length in Self.matchLengths where text.count > length {
      if let end = endOfEarlierMatch(length: length) { return text[end...].prefix(count) }
    }
    return []
  }

  /// Where the latest earlier occurrence of the last `length` tokens ends.
  private func endOfEarlierMatch(length: Int) -> Int? {
    let last = text.suffix(length)
    return (length..<text.count).last { end in
      text[end - 1] == text[text.count - 1] && text[end - length..<end].elementsEqual(last)
    }
  }

  /// Learns from a verification how long guesses should be: twice as long after one that was right
  /// to its end, else as long as what was right of it, and one more.
  mutating func adapt(proposed: Int, accepted: Int) {
    guard proposed > 0 else { return }
    candidateCount = accepted == proposed ? 2 * max(candidateCount, proposed) : accepted + 1
    candidateCount = min(candidateCount, maximumCandidateCount)
  }
}
