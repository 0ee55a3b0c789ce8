extension Tokenizer {
  /// How it cuts words, in a few words: `byte-level BPE`.
  public var algorithmText: String {
    switch model {
    case .bytePair(let model):
      if preTokenizer?.isByteLevel == true { return "byte-level BPE" }
      return model.byteFallback.isSpelling ? "BPE with byte fallback" : "BPE"
    case .scoredPair: return "SentencePiece BPE"
    case .unigram: return "SentencePiece unigram"
    }
  }

  /// How many tokens are control and not text.
  public var controlTokenCount: Int { addedTokens.tokens.count { $0.isSpecial } }
}

extension PreTokenizer {
  fileprivate var isByteLevel: Bool {
    switch self {
    case .byteLevel: true
    case .sequence(let parts): parts.contains(where: \.isByteLevel)
    default: false
    }
  }
}
