import Adapters
import ArgumentParser
import JSON
import Kernels
import Models
import SystemPackage

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Continue a prompt.",
    discussion: """
      With a FLARE adapter, --source gives the English text that the adapter reads beside the \
      prompt. Without it the adapter runs as a plain LoRA.

      EXAMPLE:
        flare run model.flare -p "Question: Siapa pemilik kafe itu?\\nAnswer: " \\
          --source "Question: Who owns the cafe?\\nAnswer: " -n 32
      """)

  @Argument(help: "A Hugging Face directory, a bundle directory or a .flare file.")
  var model: FilePath

  @Option(
    name: [.customShort("p"), .long],
    help: "The text to continue. \\n stands for a line break.")
  var prompt: String

  @Option(help: "The source text for a FLARE adapter, usually the prompt in English.")
  var source: String?

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var adapters: AdapterOptions

  @Option(name: [.customShort("n"), .customLong("max-tokens")], help: "How many tokens at most.")
  var maximumTokenCount = 256

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

  @Flag(help: "Print the prompt before its continuation.")
  var echo = false

  @Flag(help: "Print a JSON object with the text and the speed at the end.")
  var json = false

  @OptionGroup var keyValues: KeyValueOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard maximumTokenCount >= 0 else {
      throw ValidationError("'--max-tokens' is \(maximumTokenCount), expected 0 or more")
    }
  }

  func run() throws {
    let options = GenerationOptions(
      maximumTokenCount: maximumTokenCount,
      sampling: try SamplingOptions(
        temperature: temperature, topK: topK, topP: topP, minP: minP, seed: seed),
      keyValueType: keyValues.kvType ?? .float16)
    let kernels = try compute.kernels()
    let model = try adapters.open(model, with: kernels)
    let source = try sourceOptions.source(
      try source.map { try model.encode($0.withLineBreaks) }, with: kernels)
    if model.adapters.readsSource && source == nil {
      let option = model.adapters.sourceProjection == nil ? "--source" : "--source-states"
      standardError.write(
        "flare: this model's adapter reads a source; without \(option) it is a plain LoRA\n")
    }
    let prompt = prompt.withLineBreaks

    if echo && !json { standardOutput.write(prompt) }
    let start = ContinuousClock.now
    var firstPiece: ContinuousClock.Instant?
    let text = try model.generate(
      from: prompt, reading: source, options
    ) { piece in
      if firstPiece == nil { firstPiece = .now }
      if !json { standardOutput.write(piece) }
    }
    let end = ContinuousClock.now
    if json {
      writeJSON([
        "text": .string(text),
        "seconds_to_first_text": .number(((firstPiece ?? end) - start).seconds),
        "seconds": .number((end - start).seconds),
      ])
    } else {
      standardOutput.write("\n")
    }
  }
}
