import Files
public import JSON
public import SystemPackage
import Templates

extension ChatTemplate {
  static let fileName = "chat_template.jinja"
  private static let configurationName = "tokenizer_config.json"
  private static let tokenMapName = "special_tokens_map.json"
  private static let directoryName = "additional_chat_templates"

  /// The template of a model.
  ///
  /// It is `chat_template.jinja`, or `chat_template` in `tokenizer_config.json`, which may be a list
  /// of templates with names; others of a name are in `additional_chat_templates`.
  ///
  /// - Parameter name: which of several; nil for the one called "default", or the only one.
  /// - Throws: `ModelError` when the model has no such template, `TemplateError` when it cannot be
  ///   read, `FileError` or `JSONFileError` for its files.
  public init(of files: ModelFiles, named name: String? = nil) throws {
    try self.init(in: files.path, named: name) { files.file(named: $0) }
  }

  /// The template of a directory with the files of a tokenizer, which needs no weights.
  public init(ofDirectory path: FilePath, named name: String? = nil) throws {
    try self.init(in: path, named: name, file: path.regularFile)
  }

  /// A template in a file of its own.
  ///
  /// - Parameter specialTokens: those of the model that it is for.
  public init(contentsOf path: FilePath, specialTokens: JSONObject = [:]) throws {
    let file = try MappedFile(path)
    guard let text = try? UTF8Span(validating: Span(_bytes: file.bytes)) else {
      throw ModelError(.chat, "\(path): is not UTF-8 text, expected a chat template")
    }
    try self.init(String(copying: text), name: path.string, specialTokens: specialTokens)
  }

  /// The special tokens of a model by the names that templates call them.
  public static func specialTokens(of files: ModelFiles) throws -> JSONObject {
    try specialTokens { files.file(named: $0) }
  }

  /// The special tokens of a directory with the files of a tokenizer.
  public static func specialTokens(ofDirectory path: FilePath) throws -> JSONObject {
    try specialTokens(path.regularFile)
  }

  private init(
    in place: FilePath, named name: String?, file: (String) throws -> FilePath?
  ) throws {
    let tokens = try Self.specialTokens(file)
    let wanted = name ?? "default"
    if wanted == "default", let path = try file(Self.fileName) {
      try self.init(contentsOf: path, specialTokens: tokens)
      return
    }
    let directory = place.appending(Self.directoryName)
    if wanted != "default", directory.isDirectory {
      let path = directory.appending("\(wanted).jinja")
      // A name is no path to elsewhere.
      if try directory.directoryEntries().contains("\(wanted).jinja") {
        try self.init(contentsOf: path, specialTokens: tokens)
        return
      }
    }
    let templates = try Self.configuredTemplates(file)
    guard
      let found = templates.first(where: { $0.name == wanted })
        ?? (name == nil && templates.count == 1 ? templates.first : nil)
    else {
      throw Self.missing(wanted, in: place, known: templates.map(\.name), isNamed: name != nil)
    }
    try self.init(
      found.text, name: "\(place.appending(Self.configurationName)): 'chat_template'",
      specialTokens: tokens)
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
      "\(place): has no chat template, neither '\(fileName)' nor 'chat_template' in "
        + "'\(configurationName)'. Give one with --chat-template FILE, or use 'flare run' without "
        + "--chat to continue text as it is")
  }

  /// The templates in `tokenizer_config.json`.
  private static func configuredTemplates(
    _ file: (String) throws -> FilePath?
  ) throws -> [(name: String, text: String)] {
    guard let path = try file(configurationName) else { return [] }
    let subject = "\(path): 'chat_template'"
    switch try JSONValue(contentsOf: path)["chat_template"] {
    case nil, .null: return []
    case .string(let text): return [("default", text)]
    case .array(let entries):
      return try entries.map { entry in
        guard let name = entry["name"]?.string, let text = entry["template"]?.string else {
          throw ModelError(
            .chat, "\(subject): got \(entry.shortDescription), expected a name and a template")
        }
        return (name, text)
      }
    case .object(let members):
      return try members.map { name, value in
        guard let text = value.string else {
          throw ModelError(
            .chat, "\(subject): '\(name)' is \(value.shortDescription), expected text")
        }
        return (name, text)
      }
    case let other?:
      throw ModelError(.chat, "\(subject) is \(other.shortDescription), expected text or a list")
    }
  }

  /// Tokens are text, or objects with their text as `content`; the tokenizer's own configuration
  /// counts more than the map that older checkpoints have beside it.
  private static func specialTokens(
    _ file: (String) throws -> FilePath?
  ) throws -> JSONObject {
    var tokens: JSONObject = [:]
    for name in [tokenMapName, configurationName] {
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
