import Evaluation
import SystemPackage
import TestSupport
import Testing

struct QuestionSetTests {
  func read(_ text: String) throws -> QuestionSet {
    try withTemporaryDirectory { directory in
      let path = directory.appending("questions.jsonl")
      try path.overwrite(text)
      return try QuestionSet(contentsOf: path)
    }
  }

  @Test func `a question is put in the form of TyDi QA`() throws {
    let set = try read(
      #"{"context": "C.", "question": "Q?", "answer": "A", "source_context": "S.", "source_question": "T?"}"#
        + "\n\n")
    #expect(set.questions.count == 1)
    #expect(set.questions[0].target.prompt == "Context: C.\nQuestion: Q?\nAnswer: ")
    #expect(set.questions[0].source?.prompt == "Context: S.\nQuestion: T?\nAnswer: ")
    #expect(set.questions[0].id == "1")
  }

  @Test func `several answers can be right`() throws {
    let set = try read(#"{"id": 7, "context": "", "question": "", "answer": ["a", "b"]}"#)
    #expect(set.questions[0].answers == ["a", "b"])
    #expect(set.questions[0].source == nil)
  }

  @Test(arguments: [
    ("", "holds no questions"),
    ("{}", "line 1: question: 'context' is missing, expected a string"),
    ("{\"context\": \"\", \"question\": \"\"}", "line 1: question: 'answer' is missing"),
    ("{\n", "line 1: expected a key in quotes, got the end of the text at byte 1"),
    (
      "\n{\"context\": \"\", \"question\": \"\", \"answer\": \"\", \"source_context\": \"\"}",
      "line 2: question: 'source_context' and 'source_question' belong together, one is missing"
    ),
  ])
  func `a defect is named with its line`(text: String, message: String) throws {
    let error = #expect(throws: QuestionSetError.self) { try read(text) }
    #expect(error?.detail == message)
  }
}
