import Files
import SystemPackage
import TestSupport
import Testing

/// `flare chat`, `flare template` and `flare run --chat`, with a template for the sample's questions.
struct ChatTests {
  private static let model = Vectors.repository.appending("samples").appending("llama")
  private static let story = "In the field Siti grows avocado. Lina eats meat every day."
  private static let template = Vectors.repository.appending("samples")
    .appending("questions.jinja")

  private func run(
    _ command: String, _ options: [String] = [], input: String = "", in directory: FilePath
  ) throws -> FinishedProcess {
    let template = directory.appending("qa.jinja")
    let document = directory.appending("input")
    if !template.exists { try template.writeNew(Self.template.readBytes()) }
    try document.exists ? document.overwrite(input) : document.writeNew(input)
    var arguments = [command, Self.model.appending("base").string]
    if command != "template" {
      arguments += ["--adapter", Self.model.appending("task-lora").string]
    }
    return try FinishedProcess(
      "flare", arguments + ["--chat-template", "qa.jinja"] + options, in: directory,
      shellPrefix: "exec 0< input")
  }

  @Test func `turns are answered line by line, and each sees those before`() throws {
    try withTemporaryDirectory { directory in
      let process = try run(
        "chat", ["--system", Self.story],
        input: "Which fruit does Siti grow?\nWhat does Lina eat?\n/undo\n/retry\n/save out.json\n",
        in: directory)
      #expect(process.exitCode == 0, "\(process.errors)")
      #expect(process.output == "avocado\nmeat\navocado\n")
      let saved = try directory.appending("out.json").readText()
      #expect(saved.contains("avocado"))
      #expect(!saved.contains("What does Lina eat?"))
    }
  }

  @Test func `a prompt as a message is what the template makes of it`() throws {
    try withTemporaryDirectory { directory in
      let options = ["--system", Self.story]
      let run = try run(
        "run", options + ["--chat", "-p", "What does Lina eat?"], in: directory)
      #expect(run.output == "meat\n")
      let shown = try self.run(
        "template", options, input: #"[{"role": "user", "content": "What does Lina eat?"}]"#,
        in: directory)
      #expect(
        shown.output
          == "<|begin_of_text|>Context: \(Self.story)\nQuestion: What does Lina eat?\nAnswer: ")
    }
  }

  @Test func `what cannot be answered is one sentence`() throws {
    try withTemporaryDirectory { directory in
      let unknown = try run("chat", input: "/bogus\n", in: directory)
      #expect(unknown.exitCode == 64)
      #expect(unknown.errors.contains("/bogus"))
      let full = try run("chat", ["--context", "4"], input: "Hello\n", in: directory)
      #expect(full.exitCode == 65)
      #expect(full.errors.contains("and the context 4"))
      let none = try FinishedProcess("flare", ["chat", Self.model.appending("base").string])
      #expect(none.exitCode == 65)
      #expect(none.errors.contains("--chat-template FILE"))
    }
  }
}
