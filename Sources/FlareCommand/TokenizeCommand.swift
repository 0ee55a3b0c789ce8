import ArgumentParser
import Bundles
import JSON
import Models
import SystemPackage
import Tokenizers

struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Show the tokens that a model reads for a text.",
    discussion: """
      EXAMPLE:
        flare tokenize model.flare "Hello world" --ids
        flare tokenize vocabulary.gguf --file book.txt --ids
      """)

  @Argument(
    help: "A model, a name in the store, a tokenizer.json, a tokenizer.model or a .gguf file.",
    completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Argument(help: "The text.")
  var text: String?

  @Option(help: "Read the text from a file, or from standard input for '-'.")
  var file: FilePath?

  @Flag(help: "Only the ids, on one line, with spaces between.")
  var ids = false

  @Flag(inversion: .prefixedNo, help: "Add the tokens that frame a text, such as its beginning.")
  var special = true

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard (text == nil) != (file == nil) else {
      throw ValidationError("Give a text, or a file with '--file'.")
    }
    guard !(ids && json) else {
      throw ValidationError("'--ids' and '--json' are two forms of one answer. Give one of them.")
    }
  }

  func run() throws {
    let tokenizer = try Tokenizer(ofModelAt: model)
    let text = try text ?? file.map { try String(contentsOfInput: $0) } ?? ""
    let tokens = tokenizer.encode(text, addingSpecialTokens: special)
    if ids {
      standardOutput.write(tokens.map(String.init).joined(separator: " ") + "\n")
    } else if json {
      writeJSON(
        .array(
          tokens.map { id in
            ["id": .integer(id), "piece": .string(tokenizer.token(for: id) ?? "")]
          }))
    } else {
      var table = TextTable(header: ["id", "piece"])
      for id in tokens { table.add(["\(id)", tokenizer.token(for: id) ?? ""]) }
      standardOutput.write(table.text)
    }
  }
}

extension Tokenizer {
  /// The tokenizer of a bundle, or what `path` holds itself.
  fileprivate init(ofModelAt path: FilePath) throws {
    guard Bundle.isBundle(path) else {
      try self.init(contentsOf: path)
      return
    }
    let files = try ModelFiles(path)
    // The files of a packed bundle last as long as this value.
    guard let tokenizer = try withExtendedLifetime(files, { try files.tokenizer() }) else {
      throw ModelError(.missingTokenizer, "\(path): has no tokenizer")
    }
    self = tokenizer
  }
}
