import Files
public import JSON
public import SystemPackage

extension ChatTemplate {
  private static let tokenMapName = "special_tokens_map.json"

  /// The template of a model.
  ///
  /// - Parameter name: which of several; nil for the one called "default", or the only one.
  /// - Throws: `ModelError` when the model has no such template, `TemplateError` when it cannot be
  ///   read, `FileError` or `JSONFileError` for its files.
  public init(of files: ModelFiles, named name: String? = nil) throws {
    try self.init(
      try files.chatTemplateTexts(), of: files.path, named: name,
      specialTokens: try Self.specialTokens(of: files))
  }

  /// The template of a directory with the files of a tokenizer, which needs no weights.
  public init(ofDirectory path: FilePath, named name: String? = nil) throws {
    try self.init(
      try ChatTemplateText.all(in: path, file: path.regularFile), of: path, named: name,
      specialTokens: try Self.specialTokens(ofDirectory: path))
  }

  /// A template in a file of its own.
  ///
  /// - Parameter specialTokens: those of the model that it is for.
  public init(contentsOf path: FilePath, specialTokens: JSONObject = [:]) throws {
    let text = try ChatTemplateText(contentsOf: path, ChatTemplateText.defaultName)
    try self.init(text.text, name: text.place, specialTokens: specialTokens)
  }

  private init(
    _ texts: [ChatTemplateText], of place: FilePath, named name: String?,
    specialTokens: JSONObject
  ) throws {
    let wanted = name ?? ChatTemplateText.defaultName
    guard
      let found = texts.first(where: { $0.name == wanted })
        ?? (name == nil && texts.count == 1 ? texts.first : nil)
    else {
      throw Self.missing(wanted, in: place, known: texts.map(\.name), isNamed: name != nil)
    }
    try self.init(found.text, name: found.place, specialTokens: specialTokens)
  }

  private static func missing(
    _ name: String, in place: FilePath, known: [String], isNamed: Bool
  ) -> ModelError {
    guard known.isEmpty, !isNamed else {
      let list = known.isEmpty ? "none" : known.joined(separator: ", ")
      return ModelError(.chat, "\(place): has no chat template '\(name)' (known: \(list))")
    }
    return ModelError(
      .chat,
      "\(place): has no chat template ('\(ChatTemplateText.fileName)', 'chat_template' in "
        + "'\(ChatTemplateText.configurationName)', or '\(GGUFModelKeys.chatTemplate)' in GGUF). Give "
        + "one with --chat-template FILE, or use 'flare run' without --chat to continue text as it is"
    )
  }
}

// MARK: Special tokens

extension ChatTemplate {
  /// The special tokens of a model by the names that templates call them.
  public static func specialTokens(of files: ModelFiles) throws -> JSONObject {
    if let gguf = files.gguf { return try gguf.specialTokens() }
    return try specialTokens { files.file(named: $0) }
  }

  /// The special tokens of a directory with the files of a tokenizer.
  public static func specialTokens(ofDirectory path: FilePath) throws -> JSONObject {
    try specialTokens(path.regularFile)
  }

  /// Tokens are text, or objects with their text as `content`; the tokenizer's own configuration
  /// counts more than the map that older checkpoints have beside it.
  private static func specialTokens(
    _ file: (String) throws -> FilePath?
  ) throws -> JSONObject {
    var tokens: JSONObject = [:]
    for name in [tokenMapName, ChatTemplateText.configurationName] {
      guard let path = try file(name), let members = try JSONValue(contentsOf: path).object else {
        continue
      }
      for (key, value) in members where key.hasSuffix("_token") {
        if let text = value.string ?? value["content"]?.string { tokens[key] = .string(text) }
      }
    }
    return tokens
  }
}

extension FilePath {
  /// The file of that name in this directory; nil when there is none.
  fileprivate func regularFile(_ name: String) -> FilePath? {
    let file = appending(name)
    return file.isRegularFile ? file : nil
  }
}
