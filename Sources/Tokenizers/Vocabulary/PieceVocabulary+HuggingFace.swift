import JSON

extension PieceVocabulary {
  /// Reads a `tokenizer.json` for a GGUF file.
  ///
  /// - Parameters:
  ///   - name: what messages call the file.
  ///   - specialTokens: objects that may name `bos_token`, `eos_token`, `unk_token` and
  ///     `pad_token`, the first that does counts: `tokenizer_config.json` and its companions.
  /// - Throws: `TokenizerError` when the document is none, or GGUF has no way to say what it does.
  init(
    huggingFace document: JSONValue, name: String, specialTokens: [JSONFields]
  ) throws(TokenizerError) {
    let tokenizer = try Tokenizer(document, name: name)
    let root = try Section(document, subject: name)
    guard case .bytePair(let model) = tokenizer.model, let section = try root.section("model")
    else {
      throw root.inexpressible("its model is not of the type BPE")
    }
    subject = name
    algorithm = .scoredPairs
    pieces = []
    for id in 0..<tokenizer.vocabularySize {
      if let added = tokenizer.addedTokens[id] {
        guard !added.isSingleWord, !added.stripsLeft, !added.stripsRight else {
          throw root.inexpressible(
            "the added token '\(added.content)' looks at the text around it ('single_word', "
              + "'lstrip' or 'rstrip')")
        }
        pieces.append(
          Piece(text: added.content, kind: added.isSpecial ? .control : .userDefined))
      } else if let bytes = model.vocabulary[id] {
        let isByte = model.byteFallback.isSpelling && ByteToken.byte(of: bytes) != nil
        pieces.append(
          Piece(text: String(decoding: bytes, as: UTF8.self), kind: isByte ? .byte : .normal))
      } else {
        pieces.append(.unused(id))
      }
    }
    try readSpecialTokens(tokenizer, specialTokens)
    if let unknown = model.unknown.map({ Int($0) }) {
      unknownID = unknown
      pieces[unknown].kind = .unknown
    }
    let merges = try MergeTable.pairs(section)
    if TokenizerSteps(root.value("pre_tokenizer")).contains(type: "ByteLevel") {
      try readByteLevel(root, model, merges)
    } else {
      try readSentencePiece(root, model)
      try setScores(
        byMerges: merges.compactMap { pair in
          guard let left = tokenizer.id(of: pair.left), let right = tokenizer.id(of: pair.right),
            let whole = tokenizer.id(of: pair.left + pair.right)
          else { return nil }
          return (left, right, whole)
        })
    }
    try validate()
  }

  /// Finds the ids of the special tokens, and which of them frame a text.
  private mutating func readSpecialTokens(
    _ tokenizer: Tokenizer, _ sources: [JSONFields]
  ) throws(TokenizerError) {
    func id(_ key: String) throws(TokenizerError) -> Int? {
      for source in sources {
        // A token is its text, or an object with its text under 'content'.
        guard let value = source[key],
          let text = value.string ?? value["content"]?.string
        else { continue }
        guard let id = tokenizer.id(of: text) else {
          throw TokenizerError(
            .malformed, "\(source.subject): '\(key)' is '\(text)', which is no token")
        }
        return id
      }
      return nil
    }
    let (before, after) = tokenizer.specialTokensAround
    beginID = try id("bos_token") ?? before.first
    endID = try id("eos_token") ?? after.first
    unknownID = try id("unk_token")
    paddingID = try id("pad_token")
    addsBegin = !before.isEmpty
    addsEnd = !after.isEmpty
    guard frame.before == before, frame.after == after else {
      throw unsupported(
        "a GGUF file cannot hold the tokenizer: it adds other tokens than 'bos_token' before and "
          + "'eos_token' after a text")
    }
  }

  /// Finds the name of the way in which a byte-level tokenizer cuts words.
  private mutating func readByteLevel(
    _ root: Section, _ model: BytePairModel, _ merges: [(left: String, right: String)]
  ) throws(TokenizerError) {
    let steps = TokenizerSteps.pair(root.value("normalizer"), root.value("pre_tokenizer"))
    for prefix in [SpacePrefix.none, .always] {
      for style in ByteLevelStyle.allCases {
        let expected = TokenizerSteps.pair(
          style.normalizer, style.preTokenizer(addsSpacePrefix: prefix != .none))
        guard steps == expected, model.isSame(takingWholeWords: style.takesWholeWords) else {
          continue
        }
        spacePrefix = prefix
        algorithm = .bytePairs(style, merges: merges)
        return
      }
    }
    throw root.inexpressible(
      "its 'normalizer', 'pre_tokenizer' and 'ignore_merges' are together none of "
        + ByteLevelStyle.knownNames)
  }

  /// Finds out how a tokenizer after SentencePiece's manner marks spaces.
  private mutating func readSentencePiece(
    _ root: Section, _ model: BytePairModel
  ) throws(TokenizerError) {
    guard model.isSame(takingWholeWords: false) else {
      throw root.inexpressible("'ignore_merges' is true")
    }
    guard model.fusesUnknown || model.byteFallback.isSpelling else {
      throw root.inexpressible("'fuse_unk' is false")
    }
    let steps = TokenizerSteps.pair(root.value("normalizer"), root.value("pre_tokenizer"))
    for prefix in [SpacePrefix.none, .always, .first] {
      for removes in [false, true] {
        spacePrefix = prefix
        removesExtraSpaces = removes
        if steps == TokenizerSteps.pair(normalizer, preTokenizer) { return }
      }
    }
    throw root.inexpressible(
      "its 'normalizer' and 'pre_tokenizer' do something else than to mark spaces with '▁'")
  }
}

extension PieceVocabulary.Piece {
  /// What fills a place in the embeddings that no token has.
  static func unused(_ id: Int) -> Self { .init(text: "[PAD\(id)]", score: -10_000, kind: .unused) }
}

extension BytePairModel {
  /// Whether every word gives the same tokens when words that are tokens are taken whole, or not.
  fileprivate func isSame(takingWholeWords: Bool) -> Bool {
    if takesWholeWords == takingWholeWords { return true }
    let merging = BytePairModel(
      vocabulary: vocabulary, merges: merges, unknown: unknown, fusesUnknown: fusesUnknown,
      byteFallback: byteFallback, takesWholeWords: false)
    return (0..<vocabulary.endID).allSatisfy { id in
      guard let word = vocabulary[id] else { return true }
      var ids: [Int] = []
      merging.encode(word.span, into: &ids)
      return ids == [id]
    }
  }
}

extension Section {
  /// The refusal of a tokenizer that the keys of a GGUF file cannot describe.
  fileprivate func inexpressible(_ reason: String) -> TokenizerError {
    unsupported("a GGUF file cannot hold the tokenizer: \(reason)")
  }
}
