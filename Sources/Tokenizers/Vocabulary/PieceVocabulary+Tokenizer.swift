public import WeightFiles

extension Tokenizer {
  /// The tokenizer in the metadata of a GGUF file, which may hold nothing else.
  ///
  ///     let tokenizer = try Tokenizer(try GGUFFile("model.gguf").fields)
  ///
  /// - Throws: `TokenizerError` when the keys `tokenizer.ggml.*` are missing, contradict each
  ///   other, or ask for something that Flare does not do.
  public init(_ fields: GGUFFields) throws(TokenizerError) {
    try self.init(try PieceVocabulary(fields))
  }

  init(_ vocabulary: PieceVocabulary) throws(TokenizerError) {
    switch vocabulary.algorithm {
    case .bytePairs: try self.init(vocabulary.document(), name: vocabulary.subject)
    case .scoredPairs: self.init(vocabulary, model: .scoredPair(ScoredPairModel(vocabulary)))
    case .unigram: self.init(vocabulary, model: .unigram(UnigramModel(vocabulary)))
    }
  }

  /// A tokenizer that does to text what SentencePiece does.
  private init(_ vocabulary: PieceVocabulary, model: TokenizerModel) {
    normalizer = .sentencePiece(SentencePieceNormalizer(vocabulary))
    preTokenizer = nil
    self.model = model
    postProcessor = PostProcessor(vocabulary.frame)
    decoder = TokenDecoder(vocabulary)
    addedTokens = AddedTokens(vocabulary.tokensInText, normalizer: nil)
  }
}

extension PieceVocabulary {
  /// The tokens recognised in the text, where SentencePiece would recognise them.
  ///
  /// It finds a user-defined piece in the text it has normalized, spelled as it is; a unigram model
  /// weighs it against other pieces.
  fileprivate var tokensInText: [AddedToken] {
    guard symbolsAreNormalized else { return addedTokens }
    return addedTokens.compactMap { token in
      if token.isSpecial { return token }
      if case .unigram = algorithm { return nil }
      return AddedToken(id: token.id, content: token.content, isSpecial: false, isNormalized: true)
    }
  }
}

extension SentencePieceNormalizer {
  fileprivate init(_ vocabulary: PieceVocabulary) {
    characterMap = vocabulary.characterMap
    if vocabulary.symbolsAreNormalized {
      for (id, piece) in vocabulary.pieces.enumerated() where piece.kind == .userDefined {
        verbatim.insert(piece.text.utf8, value: Int32(id))
      }
    }
    removesExtraSpaces = vocabulary.removesExtraSpaces
    prefix = vocabulary.spacePrefix
  }
}

extension TokenDecoder {
  fileprivate init(_ vocabulary: PieceVocabulary) {
    steps =
      [.replace(SentencePieceNormalizer.mark, with: [UInt8(ascii: " ")]), .byteFallback, .fuse]
      + (vocabulary.spacePrefix != .none ? [.stripStart([UInt8(ascii: " ")], count: 1)] : [])
  }
}

extension TokenTable {
  /// A table of all pieces, which have been validated.
  init(_ vocabulary: PieceVocabulary) {
    self.init(count: vocabulary.pieces.count)
    for (id, piece) in vocabulary.pieces.enumerated() { _ = insert(Array(piece.text.utf8), id: id) }
  }
}

extension ScoredPairModel {
  fileprivate init(_ vocabulary: PieceVocabulary) {
    let table = TokenTable(vocabulary)
    let pieces = vocabulary.pieces
    let mergeable = vocabulary.mergeableIDs
    var ranks = [UInt32](repeating: MergeTable.noMerge, count: pieces.count)
    var rank: UInt32 = 0
    var last: Float?
    for id in mergeable.sorted(by: { pieces[$0].score > pieces[$1].score }) {
      if let last, pieces[id].score < last { rank += 1 }
      last = pieces[id].score
      ranks[id] = rank
    }
    self.init(
      vocabulary: table, ranks: ranks, unknown: vocabulary.unknownID.map { Int32($0) },
      byteFallback: vocabulary.hasByteFallback ? ByteFallback(table) : .none,
      longestPiece: mergeable.reduce(0) { max($0, pieces[$1].text.utf8.count) })
  }
}

extension UnigramModel {
  fileprivate init(_ vocabulary: PieceVocabulary) {
    let table = TokenTable(vocabulary)
    let pieces = vocabulary.pieces
    let normal = pieces.filter { $0.kind == .normal }.map(\.score)
    let usable = vocabulary.mergeableIDs.filter {
      pieces[$0].kind == .normal || vocabulary.symbolsAreNormalized
    }
    // SentencePiece seeks the highest score from the least positive number upwards, and logarithms
    // stay below it.
    let highest = Double(max(normal.max() ?? 0, .leastNormalMagnitude))
    let scores = pieces.map { piece in
      // A user-defined piece outweighs what its bytes could be otherwise, in SentencePiece's way.
      piece.kind == .userDefined
        ? Double(piece.text.utf8.count) * highest - 0.1 : Double(piece.score)
    }
    self.init(
      table, scores: scores, usable: usable, lowestScore: Double(normal.min() ?? 0),
      unknown: Int32(vocabulary.unknownID ?? 0),
      byteFallback: vocabulary.hasByteFallback ? ByteFallback(table) : .none, roundsSums: true)
  }
}
