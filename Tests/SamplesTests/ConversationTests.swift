import Adapters
import Kernels
import Models
import SystemPackage
import TestSupport
import Testing
import Tokenizers

/// Conversations with the samples, in the form their task adapters have learned.
struct ConversationTests {
  static let story = "In the field Siti grows avocado. Lina eats meat every day."

  private func conversation(
    with name: String, contextSize: Int? = nil
  ) throws -> Conversation {
    let folder = Vectors.repository.appending("samples").appending(name)
    let kernels = try Kernels(threadCount: 2)
    let files = try ModelFiles(folder.appending("base"))
    let adapter = try Adapter(
      folder.appending("task-lora"), for: files.configuration().adapterBase, with: kernels)
    let template = try ChatTemplate(
      contentsOf: Vectors.repository.appending("samples").appending("questions.jinja"),
      specialTokens: ChatTemplate.specialTokens(of: files))
    let conversation = try Conversation(
      with: LanguageModel(files, adapters: [AdapterStack.Member(adapter)], with: kernels), template,
      contextSize: contextSize)
    conversation.messages = [.system(Self.story)]
    return conversation
  }

  // Gemma's layers with a window may have to read a conversation again.
  @Test(arguments: [("llama", true), ("gemma", false)])
  func `a turn reads only what is new, and answers as one that reads everything`(
    name: String, reuses: Bool
  ) throws {
    let talk = try conversation(with: name)
    let first = try talk.answer(to: "What does Lina eat?")
    #expect(first.text == "meat")
    #expect(first.reusedTokenCount == 0)
    let second = try talk.answer(to: "Which fruit does Siti grow?")
    #expect(!reuses || second.reusedTokenCount >= first.promptTokenCount - 1)
    let fresh = try conversation(with: name)
    fresh.messages = Array(talk.messages.dropLast())
    let answer = try fresh.answer()
    #expect(answer.text == second.text)
    #expect(answer.promptTokenCount == second.promptTokenCount)
    #expect(answer.reusedTokenCount == 0)
    #expect(talk.messages.count == 5)
  }

  @Test func `a prompt that has its beginning gets no second one`() throws {
    let model = try LanguageModel(
      Vectors.repository.appending("samples").pushing("llama/base"),
      with: Kernels(threadCount: 1))
    let tokens = try model.encode("Maya lives here")
    #expect(try model.encode("<|begin_of_text|>Maya lives here") == tokens)
    #expect(tokens.first == model.tokenizer?.id(of: "<|begin_of_text|>"))
    let bare = try model.encode("Maya lives here", addingSpecialTokens: false)
    #expect(bare == Array(tokens.dropFirst()))
  }

  @Test func `an answer ends where the template ends a turn`() throws {
    let path = Vectors.repository.appending("samples").pushing("llama/base")
    let tokenizer = try #require(try ModelFiles(path).tokenizer())
    func ends(_ turn: String) throws -> Set<Int> {
      try ChatTemplate(
        "{% for m in messages %}{{ m.content }}\(turn){% endfor %}", name: "turns"
      ).endOfTurnTokens(for: tokenizer)
    }
    let end = try #require(tokenizer.id(of: "<|end_of_text|>"))
    #expect(try ends("\n<|end_of_text|>\n") == [end])
    #expect(try ends("\n") == [])
    #expect(try ends(" and <|end_of_text|>") == [])
  }

  @Test func `a changed past is read again`() throws {
    let talk = try conversation(with: "llama")
    try talk.answer(to: "What does Lina eat?")
    talk.messages = [.system("In the field Siti grows avocado. Lina eats fish every day.")]
    #expect(try talk.answer(to: "What does Lina eat?").text == "fish")
  }

  @Test func `a conversation that does not fit is an error, and stays as it was`() throws {
    let talk = try conversation(with: "llama", contextSize: 24)
    let error = #expect(throws: ModelError.self) { try talk.answer(to: "What does Lina eat?") }
    #expect(error?.description.contains("and the context 24, so nothing can be answered") == true)
    #expect(talk.messages.count == 1)
  }

  @Test func `an answer ends when the caller wants no more`() throws {
    let talk = try conversation(with: "llama")
    let answer = try talk.answer(to: "What does Lina eat?") { $0.isEmpty }
    #expect(answer.ending == .stopped)
    #expect(answer.tokenCount == 1)
  }
}
