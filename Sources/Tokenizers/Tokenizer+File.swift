import Files
public import JSON
public import SystemPackage
import WeightFiles

extension Tokenizer {
  /// The file of a directory that holds its tokenizer, or nil when it has none.
  ///
  /// `tokenizer.json` says everything; `tokenizer.model` is what it was made from.
  public static func path(in directory: FilePath) -> FilePath? {
    ["tokenizer.json", "tokenizer.model"].map { directory.appending($0) }.first(where: \.exists)
  }

  /// Reads a `tokenizer.json`, a `tokenizer.model`, a GGUF file, which may hold a vocabulary alone,
  /// or the tokenizer in the directory at `path`.
  ///
  /// - Throws: `TokenizerError` when the file cannot be read, contradicts itself, or asks for
  ///   something that Flare does not do.
  public init(contentsOf path: FilePath) throws(TokenizerError) {
    if path.isDirectory {
      guard let file = Self.path(in: path) else {
        throw TokenizerError(
          .unreadable, "\(path): has no tokenizer: neither 'tokenizer.json' nor 'tokenizer.model'")
      }
      try self.init(contentsOf: file)
    } else if path.extension == "model" {
      try self.init(try PieceVocabulary(sentencePiece: path))
    } else if GGUFFile.isGGUF(path) {
      let file: GGUFCheckpoint
      do throws(WeightFileError) {
        file = try GGUFCheckpoint(path)
      } catch {
        throw TokenizerError(.unreadable, error.description)
      }
      try self.init(file.fields)
    } else {
      try self.init(
        try JSONValue(tokenizerFile: path), name: path.lastComponent?.string ?? path.string)
    }
  }

  /// Makes a tokenizer of a parsed `tokenizer.json`.
  ///
  /// - Parameter name: what messages call the file.
  /// - Throws: `TokenizerError` as `init(contentsOf:)` does.
  public init(_ document: JSONValue, name: String = "tokenizer.json") throws(TokenizerError) {
    let root = try Section(document, subject: name)
    try root.allowOnly([
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "model",
      "post_processor", "decoder",
    ])
    let version: String = try root.optional("version") ?? "1.0"
    guard version == "1.0" else { throw root.unsupported("version '\(version)', expected '1.0'") }
    guard let modelSection = try root.section("model") else {
      throw root.malformed("'model' is missing")
    }
    let model = try TokenizerModel(modelSection)
    let normalizer = try root.section("normalizer").map { section throws(TokenizerError) in
      try Normalizer(section)
    }
    let preTokenizer = try root.section("pre_tokenizer").map { section throws(TokenizerError) in
      try PreTokenizer(section)
    }
    let postProcessor = try root.section("post_processor").map { section throws(TokenizerError) in
      try PostProcessor(section)
    }
    let decoder = try root.section("decoder").map { section throws(TokenizerError) in
      try TokenDecoder(section)
    }
    let addedTokens = AddedTokens(
      try Self.addedTokens(root, vocabulary: model.vocabulary), normalizer: normalizer)
    self.init(
      normalizer: normalizer, preTokenizer: preTokenizer, model: model,
      postProcessor: postProcessor ?? PostProcessor(), decoder: decoder ?? .joining,
      addedTokens: addedTokens)
    for id in self.postProcessor.before + self.postProcessor.after where bytes(for: id) == nil {
      throw root.malformed("'post_processor' adds the id \(id), which no token has")
    }
  }

  /// The added tokens, each with an id and a content of its own that agree with the vocabulary.
  private static func addedTokens(
    _ root: Section, vocabulary: TokenTable
  ) throws(TokenizerError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    var contents: Set<[UInt8]> = []
    var ids: Set<Int> = []
    for section in try root.sections("added_tokens") {
      let token = try AddedToken(section)
      let content = Array(token.content.utf8)
      guard (0..<TokenTable.maximumVocabularySize).contains(token.id) else {
        throw section.malformed(
          "id \(token.id) is out of range, expected 0..<\(TokenTable.maximumVocabularySize)")
      }
      guard !content.isEmpty else { throw section.malformed("'content' is empty") }
      guard contents.insert(content).inserted else {
        throw section.malformed("'\(token.content)' appears twice")
      }
      guard ids.insert(token.id).inserted else {
        throw section.malformed("'\(token.content)' has the id \(token.id) of another added token")
      }
      if let id = vocabulary.id(of: content), Int(id) != token.id {
        throw section.malformed(
          "'\(token.content)' has id \(token.id), the vocabulary gives it \(id)")
      }
      if let other = vocabulary[token.id], other != content {
        let name = String(decoding: other, as: UTF8.self)
        throw section.malformed(
          "'\(token.content)' has id \(token.id), the vocabulary gives that id to '\(name)'")
      }
      tokens.append(token)
    }
    // Ids beyond the vocabulary continue it; Hugging Face's library renumbers those that do not.
    var expected = vocabulary.endID
    for token in tokens.sorted(by: { $0.id < $1.id }) where token.id >= vocabulary.endID {
      guard token.id == expected else {
        throw root.malformed(
          "added token '\(token.content)' has id \(token.id), expected \(expected), "
            + "the next after the vocabulary")
      }
      expected += 1
    }
    return tokens
  }
}
