import JSON

/// A unigram model: of all ways to cut a text into pieces, the one with the highest sum of scores.
///
/// The best way to each place of the text is kept, so the time is the length of the text times the
/// number of pieces that can begin at one place.
struct UnigramModel: Sendable {
  /// What SentencePiece takes off the lowest score to get that of an unknown character.
  private static let unknownPenalty = 10.0

  let vocabulary: TokenTable
  /// The score of each piece, by id.
  let scores: [Double]
  /// The pieces that text can become.
  let trie: ByteTrie
  let unknown: Int32
  let unknownScore: Double
  let byteFallback: ByteFallback
  /// Whether sums are kept in single precision, as SentencePiece keeps them; Hugging Face's library
  /// has them double, which tells apart what rounding makes equal.
  let roundsSums: Bool

  /// - Parameters:
  ///   - scores: one a piece.
  ///   - usable: the ids that text can become; the lowest of their scores sets the unknown's.
  init(
    _ vocabulary: TokenTable, scores: [Double], usable: [Int], lowestScore: Double, unknown: Int32,
    byteFallback: ByteFallback, roundsSums: Bool
  ) {
    self.vocabulary = vocabulary
    self.scores = scores
    self.unknown = unknown
    self.byteFallback = byteFallback
    self.roundsSums = roundsSums
    unknownScore = lowestScore - Self.unknownPenalty
    var trie = ByteTrie()
    for id in usable { trie.insert(vocabulary[id] ?? [], value: Int32(id)) }
    self.trie = trie
  }

  /// The best way to a place of the text: its score and its last piece.
  private struct Path {
    var score = 0.0
    var start = -1
    var id: Int32 = -1
  }

  /// Appends the tokens of a text.
  func encode(_ text: Span<UInt8>, into result: inout [Int]) {
    var followsUnknown = false
    // A run of unknown characters is one unknown.
    var unknownStart = 0
    func endUnknown(_ end: Int, into result: inout [Int]) {
      guard followsUnknown else { return }
      followsUnknown = false
      if !byteFallback.append(text.extracting(unknownStart..<end), to: &result) {
        result.append(Int(unknown))
      }
    }
    for piece in bestPath(of: text) {
      if piece.id == unknown {
        if !followsUnknown { unknownStart = piece.start }
        followsUnknown = true
      } else {
        endUnknown(piece.start, into: &result)
        result.append(Int(piece.id))
      }
    }
    endUnknown(text.count, into: &result)
  }

  /// The pieces of the best way through the text, in order.
  private func bestPath(of text: Span<UInt8>) -> [Path] {
    var paths = [Path](repeating: Path(), count: text.count + 1)
    func offer(_ score: Double, _ id: Int32, from start: Int, to end: Int) {
      guard paths[end].start < 0 || score > paths[end].score else { return }
      paths[end] = Path(score: roundsSums ? Double(Float(score)) : score, start: start, id: id)
    }
    var start = 0
    while start < text.count {
      let width = text.scalar(at: start).width
      let score = paths[start].score
      var hasCharacter = false
      var node = ByteTrie.root
      var end = start
      while end < text.count {
        node = trie.child(of: node, text[end])
        if node == ByteTrie.none { break }
        end += 1
        let id = trie.value(of: node)
        guard id != ByteTrie.none else { continue }
        offer(score + scores[Int(id)], id, from: start, to: end)
        if end == start + width { hasCharacter = true }
      }
      if !hasCharacter { offer(score + unknownScore, unknown, from: start, to: start + width) }
      start += width
    }
    var pieces: [Path] = []
    var end = text.count
    while end > 0 {
      pieces.append(paths[end])
      end = paths[end].start
    }
    return pieces.reversed()
  }
}

extension UnigramModel {
  /// Reads `model` of the type `Unigram`.
  init(_ section: Section) throws(TokenizerError) {
    try section.allowOnly(["type", "vocab", "unk_id", "byte_fallback"])
    guard let pieces = section.value("vocab")?.array, !pieces.isEmpty else {
      throw section.malformed("'vocab' is missing or empty, expected a list of tokens and scores")
    }
    guard pieces.count <= TokenTable.maximumVocabularySize else {
      throw section.malformed(
        "'vocab' has \(pieces.count) tokens, expected at most \(TokenTable.maximumVocabularySize)")
    }
    var table = TokenTable(count: pieces.count)
    var scores: [Double] = []
    for (id, piece) in pieces.enumerated() {
      guard let pair = piece.array, pair.count == 2, let text = pair[0].string,
        let score = pair[1].number
      else {
        throw section.malformed(
          "'vocab'[\(id)] is \(piece.shortDescription), expected a token and its score")
      }
      let bytes = Array(text.utf8)
      if let other = table.id(of: bytes) {
        throw section.malformed("tokens \(other) and \(id) are both '\(text)'")
      }
      _ = table.insert(bytes, id: id)
      scores.append(score)
    }
    guard let unknown: Int = try section.optional("unk_id") else {
      throw section.unsupported("'unk_id' is missing, so some text has no tokens")
    }
    guard scores.indices.contains(unknown) else {
      throw section.malformed("'unk_id' is \(unknown), expected 0..<\(scores.count)")
    }
    self.init(
      table, scores: scores, usable: scores.indices.filter { table[$0] != [] },
      lowestScore: scores.min() ?? 0, unknown: Int32(unknown),
      byteFallback: try section.optional("byte_fallback") ?? false ? ByteFallback(table) : .none,
      roundsSums: false)
  }
}
