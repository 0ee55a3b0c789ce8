import Files
import JSON
import SystemPackage

/// The text of one of a model's chat templates, not yet read as one.
package struct ChatTemplateText: Sendable, Hashable {
  /// "default" for the one that is meant when none is named.
  package let name: String
  package let text: String
  /// Where it stands, for messages.
  package let place: String

  package static let defaultName = "default"
}

extension ChatTemplateText {
  static let fileName = "chat_template.jinja"
  static let configurationName = "tokenizer_config.json"
  private static let directoryName = "additional_chat_templates"

  /// All templates of a directory with the files of a tokenizer; of several with one name the first
  /// counts.
  ///
  /// They are `chat_template.jinja`, those in `additional_chat_templates`, and `chat_template` in
  /// `tokenizer_config.json`, which may be a list of templates with names.
  ///
  /// - Throws: `FileError`, `JSONFileError` or `ModelError` for its files.
  static func all(in place: FilePath, file: (String) throws -> FilePath?) throws -> [Self] {
    var texts: [Self] = []
    if let path = try file(fileName) { texts.append(try Self(contentsOf: path, defaultName)) }
    let directory = place.appending(directoryName)
    if directory.isDirectory {
      for entry in try directory.directoryEntries().sorted() where entry.hasSuffix(".jinja") {
        texts.append(
          try Self(contentsOf: directory.appending(entry), String(entry.dropLast(6))))
      }
    }
    guard let path = try file(configurationName) else { return texts }
    return texts + (try configured(path))
  }

  /// A file that holds a template.
  init(contentsOf path: FilePath, _ name: String) throws {
    let file = try MappedFile(path)
    guard let text = try? UTF8Span(validating: Span(_bytes: file.bytes)) else {
      throw ModelError(.chat, "\(path): is not UTF-8 text, expected a chat template")
    }
    self.init(name: name, text: String(copying: text), place: path.string)
  }

  /// The templates in `tokenizer_config.json`.
  private static func configured(_ path: FilePath) throws -> [Self] {
    let subject = "\(path): 'chat_template'"
    switch try JSONValue(contentsOf: path)["chat_template"] {
    case nil, .null: return []
    case .string(let text): return [Self(name: defaultName, text: text, place: subject)]
    case .array(let entries):
      return try entries.map { entry in
        guard let name = entry["name"]?.string, let text = entry["template"]?.string else {
          throw ModelError(
            .chat, "\(subject): got \(entry.shortDescription), expected a name and a template")
        }
        return Self(name: name, text: text, place: subject)
      }
    case .object(let members):
      return try members.map { name, value in
        guard let text = value.string else {
          throw ModelError(
            .chat, "\(subject): '\(name)' is \(value.shortDescription), expected text")
        }
        return Self(name: name, text: text, place: subject)
      }
    case let other?:
      throw ModelError(.chat, "\(subject) is \(other.shortDescription), expected text or a list")
    }
  }
}

extension ModelFiles {
  /// The chat templates of the model, "default" or the only one first.
  ///
  /// - Throws: a `FlareError` when a file that should hold one cannot be read.
  package func chatTemplateTexts() throws -> [ChatTemplateText] {
    if let gguf { return gguf.chatTemplateTexts }
    return try ChatTemplateText.all(in: path) { file(named: $0) }
  }
}
