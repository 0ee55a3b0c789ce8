import Files
import JSON
import SystemPackage

extension PieceVocabulary {
  /// Reads a `tokenizer.model` and, from `tokenizer_config.json` beside it, what goes around it.
  ///
  /// Transformers puts a token for the beginning before a text, unless the configuration says no;
  /// T5's class puts one for the end after it instead. SentencePiece alone puts neither.
  ///
  /// - Throws: `TokenizerError` when the file cannot be read, contradicts itself, or asks for
  ///   something that Flare does not do.
  init(sentencePiece path: FilePath) throws(TokenizerError) {
    let name = path.lastComponent?.string ?? path.string
    let model: SentencePieceFile
    do {
      let file = try MappedFile(path)
      let bytes = Span<UInt8>(_bytes: file.bytes)
      model = try SentencePieceFile(Array(copying: bytes))
    } catch let error as FileError {
      throw TokenizerError(.unreadable, error.description)
    } catch {
      throw TokenizerError(.malformed, "\(name): not a SentencePiece model: \(error)")
    }
    try self.init(model, name: name)
    let file = path.removingLastComponent().appending("tokenizer_config.json")
    if file.exists {
      try configure(
        try Section(try JSONValue(tokenizerFile: file), subject: "tokenizer_config.json"))
    }
    try validate()
  }

  /// What the file alone says, with neither end framed.
  init(_ model: SentencePieceFile, name: String) throws(TokenizerError) {
    subject = name
    pieces = model.pieces
    algorithm = .scoredPairs
    switch SentencePieceFile.ModelType(rawValue: model.modelType) {
    case .bytePairs: break
    case .unigram: algorithm = .unigram
    case .word, .character, nil:
      throw unsupported("model type \(model.modelType) is not supported (known: unigram, BPE)")
    }
    guard !pieces.isEmpty else { throw malformed("has no pieces") }
    guard pieces.contains(where: { $0.kind == .unknown }) else {
      throw malformed("no piece is of the type unknown")
    }
    guard !model.marksSpacesAfterWords else {
      throw unsupported("'treat_whitespace_as_suffix' is true and not supported")
    }
    guard model.marksSpaces else {
      throw unsupported("'escape_whitespaces' is false and not supported")
    }
    guard model.denormalizerMap.isEmpty else {
      throw unsupported("a denormalizer changes decoded text, which is not supported")
    }
    if model.hasByteFallback, pieces.count(where: { $0.kind == .byte }) != 256 {
      throw malformed(
        "'byte_fallback' is true with \(pieces.count { $0.kind == .byte }) byte pieces, "
          + "expected 256")
    }
    if !model.characterMap.isEmpty {
      guard let map = CharacterMap(model.characterMap) else {
        throw malformed("'precompiled_charsmap' is damaged")
      }
      characterMap = map
    }
    spacePrefix = model.addsSpacePrefix ? .always : .none
    removesExtraSpaces = model.removesExtraSpaces
    symbolsAreNormalized = true
    unknownID = pieces.firstIndex { $0.kind == .unknown }
    beginID = model.beginID >= 0 ? model.beginID : nil
    endID = model.endID >= 0 ? model.endID : nil
    paddingID = model.paddingID >= 0 ? model.paddingID : nil
    addsBegin = beginID != nil
    try validate()
  }

  /// Applies `tokenizer_config.json`.
  private mutating func configure(_ section: Section) throws(TokenizerError) {
    if try section.optional("tokenizer_class", as: String.self)?.hasPrefix("T5") ?? false {
      addsBegin = false
      addsEnd = true
    }
    addsBegin = try section.optional("add_bos_token") ?? addsBegin
    addsEnd = try section.optional("add_eos_token") ?? addsEnd
    if spacePrefix == .always {
      if try section.optional("legacy") == false { spacePrefix = .first }
      if try section.optional("add_prefix_space") == false { spacePrefix = .none }
    }
    guard let added = try section.section("added_tokens_decoder") else { return }
    let ids = added.keys.compactMap(Int.init).sorted()
    for id in ids {
      guard let token = try added.section("\(id)") else { continue }
      try add(token, id: id)
    }
  }

  /// Puts an added token in its place: over the piece there, or at the end.
  private mutating func add(_ section: Section, id: Int) throws(TokenizerError) {
    for option in ["single_word", "lstrip", "rstrip"]
    where try section.optional(option) ?? false {
      throw section.unsupported("'\(option)' is true and not supported for a 'tokenizer.model'")
    }
    let isSpecial: Bool = try section.optional("special") ?? false
    let content: String = try section.required("content")
    let piece = Piece(text: content, score: -1000, kind: isSpecial ? .control : .userDefined)
    if pieces.indices.contains(id) {
      if pieces[id].kind == .unknown { return }
      pieces[id] = piece
    } else {
      guard id == pieces.count else {
        throw section.malformed(
          "has id \(id), expected \(pieces.count), the next after the vocabulary")
      }
      pieces.append(piece)
    }
  }
}
