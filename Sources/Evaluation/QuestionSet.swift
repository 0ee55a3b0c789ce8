public import Files
import JSON
public import SystemPackage

/// A question about a text, with the answers that count as right and its English translation.
public struct Question: Sendable, Hashable {
  /// A text and a question about it, in one language.
  public struct Wording: Sendable, Hashable {
    public let context: String
    public let question: String

    /// The form in which TyDi QA is put to a language model.
    public var prompt: String { "Context: \(context)\nQuestion: \(question)\nAnswer: " }
  }

  public let id: String
  public let target: Wording
  public let answers: [String]
  /// The English translation, when the set has one.
  public let source: Wording?
  public let sourceAnswers: [String]
}

/// Questions read from a JSONL file.
public struct QuestionSet: Sendable {
  public let questions: [Question]

  public init(_ questions: some Sequence<Question>) { self.questions = Array(questions) }

  /// Reads one JSON object a line, with `context`, `question` and `answer` (a string or a list of
  /// strings), and optionally `id`, `source_context`, `source_question` and `source_answer`.
  ///
  /// - Throws: `QuestionSetError` with the line of the first defect, `FileError`.
  public init(contentsOf path: FilePath) throws {
    let file = try MappedFile(path)
    do {
      questions = try JSONValue.lines(of: Span(_bytes: file.bytes)) { json, number in
        try Question(json, number: number)
      }
    } catch {
      throw QuestionSetError(path: path, detail: "\(error)")
    }
    guard !questions.isEmpty else {
      throw QuestionSetError(path: path, detail: "holds no questions")
    }
  }
}

/// A defect in a file of questions.
public struct QuestionSetError: FlareError {
  public let path: FilePath
  public let detail: String

  public var kind: FailureKind { .badInput }
  public var description: String { "\(path): \(detail)" }
}

extension Question {
  fileprivate init(_ json: JSONValue, number: Int) throws {
    let fields = try JSONFields(json, subject: "question")
    id = fields["id"]?.string ?? fields["id"]?.shortDescription ?? "\(number)"
    target = Wording(
      context: try fields.required("context"), question: try fields.required("question"))
    answers = try fields.oneOrMany("answer")
    guard !answers.isEmpty else { throw JSONFieldError("question: 'answer' is missing") }
    let context = try fields.optional("source_context", as: String.self)
    let question = try fields.optional("source_question", as: String.self)
    switch (context, question) {
    case (let context?, let question?): source = Wording(context: context, question: question)
    case (nil, nil): source = nil
    default:
      throw JSONFieldError(
        "question: 'source_context' and 'source_question' belong together, one is missing")
    }
    sourceAnswers = try fields.oneOrMany("source_answer")
  }
}
