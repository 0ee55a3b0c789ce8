import JSON
import Models
import Tokenizers

/// Answers the requests of a file, and writes a JSON line for each in the order of the file.
struct BatchRun {
  let model: LanguageModel
  let lines: [RequestFile.Line]
  let batchSize: Int

  /// - Returns: the answers, in order.
  func run() throws -> [Continuation] {
    let start = ContinuousClock.now
    var tokenCount = 0
    // An answer waits for those before it.
    var waiting: [Int: Continuation] = [:]
    var written = 0
    let bar = ProgressBar("Answering", total: lines.count, unit: .items)
    func rate() -> String {
      "\(decimalText(Double(tokenCount) / (ContinuousClock.now - start).seconds, 1)) tokens/s"
    }
    let answers = try bar.during {
      try model.generate(
        batch: lines.map(\.request), BatchOptions(maximumTextCount: batchSize)
      ) { _, _ in
        tokenCount += 1
        bar.advance(by: 0, note: rate())
        return true
      } finish: { index, answer in
        bar.advance(by: 1, note: rate())
        waiting[index] = answer
        while let answer = waiting.removeValue(forKey: written) {
          bar.clear()
          write(answer, at: written)
          written += 1
        }
      }
    }
    standardError.write("flare: \(answers.count) answers, \(tokenCount) tokens, \(rate())\n")
    return answers
  }

  private func write(_ answer: Continuation, at index: Int) {
    var line: JSONObject = [:]
    if let id = lines[index].id { line["id"] = id }
    line["line"] = .integer(lines[index].number)
    line["text"] = .string(model.tokenizer?.decodedContinuation(answer.tokens) ?? "")
    line["tokens"] = .integer(answer.tokens.count)
    line["ending"] = .string(answer.ending.rawValue)
    standardOutput.write(JSONValue.object(line).serialized() + "\n")
  }
}

extension Tokenizer {
  /// The text of tokens that continue another, as they are written one by one.
  fileprivate func decodedContinuation(_ tokens: [Int]) -> String {
    var decoder = streamingDecoder()
    return tokens.map { decoder.append($0) }.joined() + decoder.finish()
  }
}
