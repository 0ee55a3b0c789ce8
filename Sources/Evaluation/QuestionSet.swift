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
    let text: String
    do {
      let file = try MappedFile(path)
      text = String(copying: try UTF8Span(validating: Span(_bytes: file.bytes)))
    } catch is UTF8.ValidationError {
      throw QuestionSetError(path: path, detail: "not UTF-8 text")
    }
    var questions: [Question] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where !line.allSatisfy(\.isWhitespace) {
      do {
        let json = try JSONValue(parsing: String(line))
        questions.append(try Question(json, number: index + 1))
      } catch {
        throw QuestionSetError(path: path, detail: "line \(index + 1): \(error)")
      }
    }
    guard !questions.isEmpty else {
      throw QuestionSetError(path: path, detail: "holds no questions")
    }
    self.questions = questions
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
    answers = try Self.answers("answer", in: fields)
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
    sourceAnswers = try Self.answers("source_answer", in: fields)
  }

  private static func answers(_ key: String, in fields: JSONFields) throws -> [String] {
    switch fields[key] {
    case nil, .null: []
    case .array: try fields.required(key)
    default: [try fields.required(key)]
    }
  }
}
