import Adapters
public import Files
public import Kernels
public import Models

/// How well a model answers a set of questions, by exact match.
public struct ExactMatch: Sendable {
  /// What the model is asked and given.
  public enum Setting: String, Sendable, CaseIterable {
    /// The question in its own language, with its translation as source if an adapter reads one.
    case target
    /// The question in its own language, without a source.
    case withoutSource = "no-source"
    /// With the translation of another question: what fusion is worth when the source is wrong.
    case wrongSource = "wrong-source"
    /// The English translation of the question itself.
    case sourceText = "source-text"
  }

  public struct Prediction: Sendable {
    public let id: String
    public let text: String
    public let isRight: Bool
  }

  public let predictions: [Prediction]

  public var rightCount: Int { predictions.count(where: \.isRight) }

  /// The share of right answers, 0 to 1.
  public var share: Double { Double(rightCount) / Double(predictions.count) }

  /// Answers are words, not paragraphs.
  private static let maximumAnswerTokenCount = 16

  /// Asks `model` every question.
  ///
  /// - Parameters:
  ///   - keyValueType: how keys and values are kept.
  ///   - progress: called after each question with how many are done.
  /// - Throws: `EvaluationError` when the setting needs translations that the set does not have;
  ///   `ModelError` when the model cannot read the text.
  public init(
    _ model: LanguageModel, on set: QuestionSet, _ setting: Setting = .target,
    keyValueType: KeyValueType = .float16,
    progress: (Int) -> Void = { _ in }
  ) throws {
    let questions = set.questions
    try Self.check(questions, setting)
    predictions = try questions.indices.map { index in
      let question = questions[index]
      let prompt: String
      var answers = question.answers
      var source: String?
      switch setting {
      case .target:
        prompt = question.target.prompt
        if model.adapters.readsSource { source = try translation(of: question).prompt }
      case .withoutSource:
        prompt = question.target.prompt
      case .wrongSource:
        prompt = question.target.prompt
        source = try translation(of: questions[(index + 1) % questions.count]).prompt
      case .sourceText:
        prompt = try translation(of: question).prompt
        answers = question.sourceAnswers
      }
      let text = try model.generate(
        from: prompt, source: source,
        GenerationOptions(
          maximumTokenCount: Self.maximumAnswerTokenCount, keyValueType: keyValueType))
      // An answer is one line.
      let answer = String(text.prefix { !$0.isNewline })
      progress(index + 1)
      let normalized = normalizedAnswer(answer)
      return Prediction(
        id: question.id, text: answer,
        isRight: answers.contains { normalizedAnswer($0) == normalized })
    }
  }
}

extension ExactMatch {
  private static func check(
    _ questions: [Question], _ setting: Setting
  ) throws(EvaluationError) {
    if setting == .wrongSource && questions.count < 2 {
      throw EvaluationError(
        description: "a wrong source is another question's translation, and there is one question")
    }
    if setting == .sourceText, let question = questions.first(where: \.sourceAnswers.isEmpty) {
      throw EvaluationError(
        description: "question '\(question.id)' has no 'source_answer' to compare with")
    }
  }
}

/// A set of questions that cannot be used in the way that was asked for.
public struct EvaluationError: FlareError {
  public let description: String
  public var kind: FailureKind { .badInput }
}

private func translation(of question: Question) throws(EvaluationError) -> Question.Wording {
  guard let source = question.source else {
    throw EvaluationError(
      description: "question '\(question.id)' has no 'source_context' and 'source_question', "
        + "which are the source. Ask without it in the setting no-source")
  }
  return source
}
