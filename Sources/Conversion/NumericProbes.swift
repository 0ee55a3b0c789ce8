import Bundles
import Files
import JSON
import Kernels
public import Models
public import SystemPackage

/// Texts and the most likely next tokens that a model gave for them where it was packed, so that another
/// machine can tell whether it computes the same.
///
/// `formats/bundle.md` describes `probes.json`.
public struct NumericProbes: Sendable {
  public static let fileName = "probes.json"
  private static let format = "flare-probes"
  /// Tokens of each answer that are kept.
  private static let topCount = 5
  /// What processors may differ by: products are the same in all of them, norms and exponentials are
  /// rounded otherwise.
  private static let tolerance = 0.05

  /// What is asked.
  public struct Question: Sendable, Hashable {
    public let tokens: [Int]
    /// What a FLARE adapter reads beside it; nil for nothing.
    public let sourceTokens: [Int]?

    public init(tokens: [Int], sourceTokens: [Int]?) {
      self.tokens = tokens
      self.sourceTokens = sourceTokens
    }
  }

  /// The most likely tokens behind a question, with their logits, the largest first.
  private struct Answer: Sendable {
    let question: Question
    let top: [(token: Int, logit: Float)]
  }

  private let answers: [Answer]

  /// Asks a model.
  ///
  /// - Throws: a `FlareError` when a token is outside the vocabulary, or a source is given that nothing
  ///   reads.
  public init(_ questions: [Question], of model: LanguageModel) throws {
    answers = try questions.map { question in
      let logits = try Self.logits(of: question, model)
      let best = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
      return Answer(
        question: question, top: best.prefix(Self.topCount).map { ($0, logits[$0]) })
    }
  }

  private static func logits(of question: Question, _ model: LanguageModel) throws -> [Float] {
    let all = try model.logits(
      of: question.tokens, source: question.sourceTokens.map { .tokens($0) })
    let last = all[all.rowCount - 1]
    return last.indices.map { last[$0] }
  }

  /// Asks another model, or the same one elsewhere.
  ///
  /// - Returns: how many questions there were, and the largest difference of a logit.
  /// - Throws: `ConversionError` for the first answer that is another one.
  public func check(_ model: LanguageModel, at path: FilePath) throws -> (
    count: Int, largestDifference: Float
  ) {
    var largest: Float = 0
    for (number, answer) in answers.enumerated() {
      let logits = try Self.logits(of: answer.question, model)
      for (token, expected) in answer.top {
        guard logits.indices.contains(token) else {
          throw ConversionError(
            .badInput, "\(path): probe \(number + 1) names token \(token), which the model has not")
        }
        let difference = abs(logits[token] - expected)
        largest = max(largest, difference)
        guard Double(difference) <= Self.tolerance else {
          throw ConversionError(
            .badInput,
            "\(path): probe \(number + 1): token \(token) has the logit \(logits[token]) here and had "
              + "\(expected) where the bundle was made. This machine computes something else")
        }
      }
    }
    return (answers.count, largest)
  }
}

extension NumericProbes {
  var text: String {
    let document: JSONValue = [
      "format": .string(Self.format), "version": 1,
      "probes": .array(
        answers.map { answer in
          var probe: JSONObject = [
            "tokens": .array(answer.question.tokens.map { .integer($0) })
          ]
          if let source = answer.question.sourceTokens {
            probe["source_tokens"] = .array(source.map { .integer($0) })
          }
          probe["top"] = .array(
            answer.top.map { [.integer($0.token), .number(Double($0.logit))] })
          return .object(probe)
        }),
    ]
    return document.serialized(isIndented: true) + "\n"
  }

  /// The probes of a bundle; nil when it has none.
  ///
  /// - Throws: `ConversionError` when the file is malformed.
  public init?(of model: ModelFiles) throws {
    guard let path = model.bundle?.file(named: Self.fileName) else { return nil }
    let json = try JSONValue(contentsOf: path)
    guard json["format"] == .string(Self.format), json["version"] == 1,
      let probes = json["probes"]?.array
    else { throw ConversionError(.badInput, "\(path): is no file of probes of version 1") }
    answers = try probes.enumerated().map { number, probe in
      func tokens(_ key: String) -> [Int]? {
        guard let values = probe[key]?.array else { return nil }
        let tokens = values.compactMap(\.integer)
        return tokens.count == values.count ? tokens : nil
      }
      let top = probe["top"]?.array?.compactMap { pair -> (token: Int, logit: Float)? in
        guard let pair = pair.array, pair.count == 2, let token = pair[0].integer,
          let logit = pair[1].number
        else { return nil }
        return (token, Float(logit))
      }
      guard let ids = tokens("tokens"), let top, !top.isEmpty,
        top.count == probe["top"]?.array?.count,
        probe["source_tokens"] == nil || tokens("source_tokens") != nil
      else {
        throw ConversionError(.badInput, "\(path): probe \(number + 1) lacks 'tokens' or 'top'")
      }
      return Answer(
        question: Question(tokens: ids, sourceTokens: tokens("source_tokens")), top: top)
    }
  }
}
