import Files
public import JSON
public import SystemPackage
public import WeightFiles

extension Tokenizer {
  /// The keys `tokenizer.ggml.*` for the tokenizer in a Hugging Face directory.
  ///
  /// A model in a GGUF file with these keys reads the ids that the directory's own tokenizer gives.
  ///
  /// - Parameters:
  ///   - vocabularySize: the rows of the model's embeddings, which can be more than it has tokens.
  ///   - endIDs: the tokens that end a text, `eos_token_id` of `generation_config.json`.
  /// - Throws: `TokenizerError` when there is no tokenizer, it is malformed, or GGUF cannot express
  ///   what it does; the message says which part.
  public static func ggufMetadata(
    ofHuggingFace directory: FilePath, vocabularySize: Int, endIDs: [Int] = []
  ) throws(TokenizerError) -> GGUFMetadata {
    var vocabulary = try PieceVocabulary(directory: directory)
    try vocabulary.checkExpressibleAsGGUF()
    try vocabulary.fit(to: vocabularySize)
    return vocabulary.metadata(endIDs: endIDs)
  }

  /// The keys of a GGUF file's tokenizer for a model with another number of embeddings.
  ///
  /// - Throws: `TokenizerError` as `init(_: GGUFFields)` does, and when tokens of the text would have no
  ///   row.
  package static func ggufMetadata(
    of fields: GGUFFields, vocabularySize: Int, endIDs: [Int]
  ) throws(TokenizerError) -> GGUFMetadata {
    var vocabulary = try PieceVocabulary(fields)
    try vocabulary.fit(to: vocabularySize)
    return vocabulary.metadata(endIDs: endIDs)
  }

  /// `tokenizer.json` and `tokenizer_config.json` of the tokenizer in a GGUF file's metadata.
  ///
  /// - Parameter chatTemplate: goes to `tokenizer_config.json` as it stands.
  /// - Throws: `TokenizerError` as `init(_: GGUFFields)` does.
  public static func huggingFaceFiles(
    of fields: GGUFFields, chatTemplate: String? = nil
  ) throws(TokenizerError) -> (tokenizer: JSONValue, configuration: JSONValue) {
    let vocabulary = try PieceVocabulary(fields)
    try vocabulary.checkExpressibleAsJSON()
    return (vocabulary.document(), vocabulary.configuration(chatTemplate: chatTemplate))
  }
}

extension PieceVocabulary {
  /// - Throws: `TokenizerError` when llama.cpp would read other ids than the tokenizer gives.
  fileprivate func checkExpressibleAsGGUF() throws(TokenizerError) {
    guard case .scoredPairs = algorithm, changesText else { return }
    throw unsupported(
      "a GGUF file cannot hold the tokenizer: its normalizer maps characters or removes spaces, which "
        + "llama.cpp does not do for BPE")
  }

  /// - Throws: `TokenizerError` when the steps of a `tokenizer.json` would give other ids.
  fileprivate func checkExpressibleAsJSON() throws(TokenizerError) {
    if case .bytePairs = algorithm { return }
    guard changesText else { return }
    throw unsupported(
      "'tokenizer.json' cannot say exactly how SentencePiece maps characters and removes spaces. Keep "
        + "the model as GGUF, or take the tokenizer from where it was made")
  }

  /// Whether SentencePiece's normalizer does more than to mark spaces.
  private var changesText: Bool { characterMap != nil || removesExtraSpaces }

  /// Reads the tokenizer of a Hugging Face directory.
  fileprivate init(directory: FilePath) throws(TokenizerError) {
    guard let path = Tokenizer.path(in: directory) else {
      throw TokenizerError(.unreadable, "\(directory): has no tokenizer")
    }
    if path.extension == "model" {
      try self.init(sentencePiece: path)
      return
    }
    let document = try JSONValue(tokenizerFile: path)
    var specialTokens: [JSONFields] = []
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
      let file = directory.appending(name)
      guard file.exists else { continue }
      let value = try JSONValue(tokenizerFile: file)
      do throws(JSONFieldError) {
        specialTokens.append(try JSONFields(value, subject: name))
      } catch {
        throw TokenizerError(.malformed, error.description)
      }
    }
    try self.init(
      huggingFace: document, name: path.lastComponent?.string ?? path.string,
      specialTokens: specialTokens)
  }

  /// The vocabulary's `tokenizer_config.json`.
  fileprivate func configuration(chatTemplate: String?) -> JSONValue {
    func token(_ id: Int?) -> JSONValue { id.map { .string(pieces[$0].text) } ?? nil }
    var configuration: JSONObject = [
      "add_bos_token": .boolean(addsBegin), "add_eos_token": .boolean(addsEnd),
      "bos_token": token(beginID), "eos_token": token(endID), "unk_token": token(unknownID),
      "pad_token": token(paddingID), "clean_up_tokenization_spaces": false,
      "tokenizer_class": "PreTrainedTokenizerFast",
    ]
    if let chatTemplate { configuration["chat_template"] = .string(chatTemplate) }
    return .object(configuration)
  }
}

extension JSONValue {
  /// Parses a file that belongs to a tokenizer.
  init(tokenizerFile path: FilePath) throws(TokenizerError) {
    let name = path.lastComponent?.string ?? path.string
    do {
      let file = try MappedFile(path)
      self = try JSONValue(parsing: Span(_bytes: file.bytes))
    } catch let error as FileError {
      throw TokenizerError(.unreadable, error.description)
    } catch {
      throw TokenizerError(.malformed, "\(name): \(error)")
    }
  }
}
