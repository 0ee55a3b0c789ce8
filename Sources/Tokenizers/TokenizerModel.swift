/// How one word becomes tokens: `model` of `tokenizer.json`, and what SentencePiece does.
enum TokenizerModel: Sendable {
  case bytePair(BytePairModel)
  case scoredPair(ScoredPairModel)
  case unigram(UnigramModel)

  var vocabulary: TokenTable {
    switch self {
    case .bytePair(let model): model.vocabulary
    case .scoredPair(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    }
  }

  /// Appends the tokens of one word, UTF-8 that is not empty.
  func encode(_ word: Span<UInt8>, into result: inout [Int]) {
    switch self {
    case .bytePair(let model): model.encode(word, into: &result)
    case .scoredPair(let model): model.encode(word, into: &result)
    case .unigram(let model): model.encode(word, into: &result)
    }
  }
}

extension TokenizerModel {
  init(_ section: Section) throws(TokenizerError) {
    // Files written before 'type' became customary have BPE models only.
    let type = try section.optional("type", as: String.self) ?? "BPE"
    switch type {
    case "BPE": self = .bytePair(try BytePairModel(section))
    case "Unigram": self = .unigram(try UnigramModel(section))
    default: throw section.unknownType(type, known: "BPE, Unigram")
    }
  }
}
