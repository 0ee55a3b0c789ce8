import JSON
import Models
import SystemPackage
import TestSupport
import Testing
import WeightFiles

/// Where a model's chat templates are, and which of them counts.
struct ChatTemplateFilesTests {
  private static let configuration = """
    {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [
      {"name": "default", "template": "listed {{ bos_token }}"},
      {"name": "tools", "template": "tools {{ eos_token }}"}]}
    """

  private func render(
    _ files: [String: String], named name: String? = nil
  ) throws -> String {
    try withTemporaryDirectory { directory in
      for (name, text) in files { try directory.pushing(FilePath(name)).writeNew(text) }
      return try ChatTemplate(ofDirectory: directory, named: name).render([.user("hi")])
    }
  }

  @Test func `a template in the tokenizer's configuration has its special tokens`() throws {
    #expect(try render(["tokenizer_config.json": Self.configuration]) == "listed <s>")
    let files = [
      "tokenizer_config.json": #"{"chat_template": "one {{ bos_token }}"}"#,
      "special_tokens_map.json": #"{"bos_token": "<bos>"}"#,
    ]
    #expect(try render(files) == "one <bos>")
  }

  @Test func `a file of its own counts more`() throws {
    let files = [
      "tokenizer_config.json": Self.configuration, "chat_template.jinja": "own {{ bos_token }}",
    ]
    #expect(try render(files) == "own <s>")
    #expect(try render(files, named: "tools") == "tools </s>")
  }

  @Test func `other templates have names`() throws {
    let files = [
      "chat_template.jinja": "own", "additional_chat_templates/rag.jinja": "rag",
      "tokenizer_config.json": Self.configuration,
    ]
    #expect(try render(files, named: "rag") == "rag")
    let error = #expect(throws: ModelError.self) { try render(files, named: "../chat_template") }
    #expect(
      error?.description.hasSuffix(
        "has no chat template '../chat_template' (known: default, rag, default, tools)") == true)
  }

  @Test func `a model without one says what to do`() throws {
    let error = #expect(throws: ModelError.self) { try render(["tokenizer_config.json": "{}"]) }
    #expect(error?.description.contains("Give one with --chat-template FILE") == true)
  }

  @Test func `a GGUF file has its templates in its metadata`() throws {
    try withTemporaryDirectory { directory in
      var file = GGUFModelDefectTests.File()
      file.metadata["tokenizer.ggml.tokens"] = .array(GGUFArray((0..<12).map { "t\($0)" }))
      file.metadata["tokenizer.ggml.bos_token_id"] = .uint32(3)
      file.metadata["tokenizer.chat_template"] = .string("plain {{ bos_token }}")
      file.metadata["tokenizer.chat_template.tools"] = .string("tools {{ bos_token }}")
      let path = directory.appending("m.gguf")
      try file.write(to: path)
      let files = try ModelFiles(path)
      #expect(try ChatTemplate(of: files).render([.user("hi")]) == "plain t3")
      #expect(try ChatTemplate(of: files, named: "tools").render([.user("hi")]) == "tools t3")
    }
  }
}
