import ArgumentParser
import Kernels
import Models

/// Options of the commands that let a model write.
struct GenerationArguments: ParsableArguments {
  @Option(
    name: [.customShort("n"), .customLong("max-tokens")],
    help: "How many tokens at most (default: 256; for an answer of a chat, what the context holds)."
  )
  var maximumTokenCount: Int?

  @Option(help: "0 always takes the most likely token; 1 samples from the model as it is.")
  var temperature: Float = 0

  @Option(help: "Sample from this many of the most likely tokens only.")
  var topK: Int?

  @Option(help: "Sample from the most likely tokens that reach this probability together.")
  var topP: Float = 1

  @Option(help: "Sample from tokens at least this fraction as likely as the most likely one.")
  var minP: Float = 0

  @Option(help: "The same seed gives the same text.")
  var seed: UInt64 = 0

  @Option(
    defaultAsFlag: 8,
    help: ArgumentHelp(
      "Guess up to this many tokens from what followed the last ones before, and verify them in the "
        + "pass of one: faster where an answer repeats its prompt, and the same text.",
      valueName: "tokens"))
  var speculate: Int?

  @OptionGroup var keyValues: KeyValueOptions

  /// One row of a pass is no guess.
  private static let maximumCandidateCount = Kernels.exactRowCount - 1

  func validate() throws {
    guard maximumTokenCount ?? 0 >= 0 else {
      throw ValidationError("'--max-tokens' is \(maximumTokenCount ?? 0), expected 0 or more")
    }
    guard 1...Self.maximumCandidateCount ~= speculate ?? 1 else {
      throw ValidationError(
        "'--speculate' is \(speculate ?? 0), expected 1 to \(Self.maximumCandidateCount)")
    }
  }

  /// - Parameter standardCount: how many tokens at most when nothing is said.
  func options(standardCount: Int = 256) throws -> GenerationOptions {
    GenerationOptions(
      maximumTokenCount: maximumTokenCount ?? standardCount,
      sampling: try SamplingOptions(
        temperature: temperature, topK: topK, topP: topP, minP: minP, seed: seed),
      maximumCandidateCount: speculate ?? 0, keyValueType: keyValues.kvType ?? .float16)
  }
}

extension GenerationArguments {
  /// Says on standard error what speculation was worth, when it was asked for.
  func report(_ answers: [Continuation]) {
    guard speculate != nil else { return }
    let tokens = answers.reduce(0) { $0 + $1.tokens.count }
    let passes = answers.reduce(0) { $0 + $1.passCount }
    let guesses = answers.reduce(0) { $0 + $1.candidateCount }
    let right = answers.reduce(0) { $0 + $1.acceptedCount }
    let share = guesses == 0 ? "" : " (\(decimalText(100 * Double(right) / Double(guesses), 0)) %)"
    let rate = passes == 0 ? 0 : Double(tokens) / Double(passes)
    standardError.write(
      "flare: \(tokens) tokens in \(passes) passes, \(decimalText(rate, 2)) a pass; "
        + "\(right) of \(guesses) guesses right\(share)\n")
  }
}
