import WeightFiles

extension PieceVocabulary {
  /// Reads the keys `tokenizer.ggml.*`.
  ///
  /// - Throws: `TokenizerError` when they are missing, contradict each other, or name a model or
  ///   pre-tokenizer that Flare does not have.
  init(_ fields: GGUFFields) throws(TokenizerError) {
    let keys = GGUFTokenizerKeys(fields)
    let model: String = try keys.required("model")
    subject = "\(fields.path)"
    pieces = try keys.pieces()
    switch model {
    case "llama":
      algorithm = .scoredPairs
      addsBegin = true
    case "t5":
      algorithm = .unigram
      addsEnd = true
      if let bytes: [Int] = try keys.optional("precompiled_charsmap") {
        guard let map = CharacterMap(bytes.map { UInt8(truncatingIfNeeded: $0) }) else {
          throw keys.malformed("precompiled_charsmap", "is damaged")
        }
        characterMap = map
      }
    case "gpt2":
      let style = try keys.byteLevelStyle()
      algorithm = .bytePairs(style, merges: try keys.merges())
      addsBegin = style.addsBegin
      spacePrefix = .none
    default:
      throw keys.unsupported(
        "model", "is '\(model)', which is not supported (known: llama, gpt2, t5)")
    }
    let special = try keys.specialTokens()
    (beginID, endID) = (special.begin, special.end)
    (unknownID, paddingID) = (special.unknown, special.padding)
    addsBegin = try keys.optional("add_bos_token") ?? addsBegin
    addsEnd = try keys.optional("add_eos_token") ?? addsEnd
    if let addsPrefix: Bool = try keys.optional("add_space_prefix") {
      spacePrefix = addsPrefix ? .always : .none
    }
    if spacePrefix == .always, try keys.optional("flare_space_prefix") == "first" {
      spacePrefix = .first
    }
    removesExtraSpaces = try keys.optional("remove_extra_whitespaces") ?? removesExtraSpaces
    if try keys.optional("normalizer.lowercase") ?? false {
      throw keys.unsupported("normalizer.lowercase", "is true and not supported")
    }
    try validate()
    if case .scoredPairs = algorithm { try checkScores() }
  }

  /// Checks that the scores can order merges: some writers put the same number everywhere.
  private func checkScores() throws(TokenizerError) {
    let mergeable = pieces.filter { $0.kind == .normal && $0.text.unicodeScalars.count > 1 }
    guard mergeable.count > 1, let score = mergeable.first?.score else { return }
    guard mergeable.contains(where: { $0.score != score }) else {
      throw malformed(
        "'tokenizer.ggml.scores' gives every token \(score), so the order of merges is lost. "
          + "Convert the model anew from its 'tokenizer.model'")
    }
  }
}

/// The keys `tokenizer.ggml.*` of a GGUF file.
private struct GGUFTokenizerKeys {
  private static let prefix = "tokenizer.ggml."

  private let fields: GGUFFields

  init(_ fields: GGUFFields) { self.fields = fields }

  func required<Value: GGUFReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(TokenizerError) -> Value {
    do throws(WeightFileError) {
      return try fields.required(Self.prefix + key, as: type)
    } catch {
      throw TokenizerError(.malformed, error.description)
    }
  }

  func optional<Value: GGUFReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(TokenizerError) -> Value? {
    do throws(WeightFileError) {
      return try fields.optional(Self.prefix + key, as: type)
    } catch {
      throw TokenizerError(.malformed, error.description)
    }
  }

  func specialTokens() throws(TokenizerError) -> GGUFSpecialTokens {
    do throws(WeightFileError) {
      return try GGUFSpecialTokens(fields)
    } catch {
      throw TokenizerError(.malformed, error.description)
    }
  }

  func malformed(_ key: String, _ problem: String) -> TokenizerError {
    TokenizerError(.malformed, "\(fields.path): '\(Self.prefix)\(key)' \(problem)")
  }

  func unsupported(_ key: String, _ problem: String) -> TokenizerError {
    TokenizerError(.unsupported, "\(fields.path): '\(Self.prefix)\(key)' \(problem)")
  }

  /// Every token with its score and kind.
  func pieces() throws(TokenizerError) -> [PieceVocabulary.Piece] {
    let tokens: [String] = try required("tokens")
    let scores: [Float]? = try optional("scores")
    let kinds: [Int]? = try optional("token_type")
    for (key, count) in [("scores", scores?.count), ("token_type", kinds?.count)] {
      if let count, count != tokens.count {
        throw malformed(key, "has \(count) elements, expected \(tokens.count), one a token")
      }
    }
    var pieces: [PieceVocabulary.Piece] = []
    pieces.reserveCapacity(tokens.count)
    for (id, token) in tokens.enumerated() {
      let number = kinds?[id] ?? PieceVocabulary.Kind.normal.rawValue
      guard let kind = PieceVocabulary.Kind(rawValue: number) else {
        throw malformed("token_type", "gives token \(id) the type \(number), expected 1 to 6")
      }
      pieces.append(.init(text: token, score: scores?[id] ?? 0, kind: kind))
    }
    return pieces
  }

  /// The merges, of which each is two tokens with one space between.
  func merges() throws(TokenizerError) -> [(left: String, right: String)] {
    let texts: [String] = try required("merges")
    var merges: [(left: String, right: String)] = []
    merges.reserveCapacity(texts.count)
    for (index, text) in texts.enumerated() {
      let parts = text.splitMerge
      guard parts.count == 2 else {
        throw malformed("merges", "has '\(text)' at \(index), expected two tokens and a space")
      }
      merges.append((parts[0], parts[1]))
    }
    return merges
  }

  /// The rules that `pre` names.
  ///
  /// A file without it, as converters made before May 2024, or with `default`, leaves them open, and a guess would give wrong tokens in silence.
  func byteLevelStyle() throws(TokenizerError) -> ByteLevelStyle {
    guard let name: String = try optional("pre") else {
      throw malformed(
        "pre",
        "is missing, so how the model cuts words is not known. Convert the model anew, or "
          + "set the key (known: \(ByteLevelStyle.knownNames))")
    }
    guard let style = ByteLevelStyle(ggufName: name) else {
      throw unsupported(
        "pre", "is '\(name)', which is not supported (known: \(ByteLevelStyle.knownNames))")
    }
    return style
  }
}
