/// Scores and lists of merges, the two ways to say which pair comes first.
extension PieceVocabulary {
  /// The ids of the pieces that merges make and are made of.
  var mergeableIDs: [Int] {
    pieces.indices.filter { pieces[$0].kind == .normal || pieces[$0].kind == .userDefined }
  }

  /// The list of merges that the scores amount to: every way to make a piece of two others, the
  /// pieces by descending score.
  ///
  /// Where two ways to make one piece compete, as in `aaa`, SentencePiece takes the leftmost and a
  /// list has to prefer one; it prefers, as Hugging Face's converter does, the lower ids.
  func mergesByScore() -> [(left: String, right: String)] {
    let table = TokenTable(self)
    let ids = mergeableIDs.sorted { pieces[$0].score > pieces[$1].score }
    let isMergeable = Set(ids)
    var merges: [(left: String, right: String)] = []
    for id in ids {
      let ways = pieces[id].text.halves(in: table).filter {
        isMergeable.contains($0.left) && isMergeable.contains($0.right)
      }
      for way in ways.sorted(by: { ($0.left, $0.right) < ($1.left, $1.right) }) {
        merges.append((pieces[way.left].text, pieces[way.right].text))
      }
    }
    return merges
  }

  /// Sets the scores so that they order merges as a list does.
  ///
  /// - Parameter merges: the ids of both parts and of the whole, in the order of the list.
  /// - Throws: `TokenizerError` when no scores do: a piece is made at two places of the list, or
  ///   could be made in a way that the list does not have.
  mutating func setScores(
    byMerges merges: [(left: Int, right: Int, whole: Int)]
  ) throws(TokenizerError) {
    struct Way: Hashable {
      let left, right: Int
    }
    var ways: Set<Way> = []
    var ranks: [Int: Int] = [:]
    var last: Int?
    for merge in merges {
      if merge.whole != last, ranks.updateValue(ranks.count, forKey: merge.whole) != nil {
        throw unsupported(
          "a GGUF file cannot hold the tokenizer: its list makes '\(pieces[merge.whole].text)' at "
            + "two places, with other merges between, and GGUF gives each token one score")
      }
      last = merge.whole
      ways.insert(Way(left: merge.left, right: merge.right))
    }
    let table = TokenTable(self)
    let mergeable = mergeableIDs
    let isMergeable = Set(mergeable)
    for id in mergeable {
      pieces[id].score = -Float(ranks[id] ?? ranks.count)
      for half in pieces[id].text.halves(in: table)
      where isMergeable.contains(half.left) && isMergeable.contains(half.right) {
        guard ways.contains(Way(left: half.left, right: half.right)) else {
          throw unsupported(
            "a GGUF file cannot hold the tokenizer: its list does not merge "
              + "'\(pieces[half.left].text)' and '\(pieces[half.right].text)', and by scores any "
              + "two tokens merge that make a token")
        }
      }
    }
  }
}

extension String {
  /// The ids of both halves wherever the text can be cut into two tokens.
  fileprivate func halves(in table: TokenTable) -> [(left: Int, right: Int)] {
    let bytes = Array(utf8)
    var halves: [(left: Int, right: Int)] = []
    for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
      if let left = table.id(of: bytes.span.extracting(..<cut)),
        let right = table.id(of: bytes.span.extracting(cut...))
      {
        halves.append((Int(left), Int(right)))
      }
    }
    return halves
  }
}
