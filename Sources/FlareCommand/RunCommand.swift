import Adapters
import ArgumentParser
import JSON
import Kernels
import Models
import SystemPackage

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Continue a prompt, or many side by side.",
    discussion: """
      With a FLARE adapter, --source gives the English text that the adapter reads beside the \
      prompt. Without it the adapter runs as a plain LoRA.

      EXAMPLE:
        flare run model.flare -p "Question: Siapa pemilik kafe itu?\\nAnswer: " \\
          --source "Question: Who owns the cafe?\\nAnswer: " -n 32

      With --batch each line of a file is a JSON object with "prompt" and, where it differs from \
      the options, "source", "n", "temperature", "top_k", "top_p", "min_p", "seed"; an "id" comes \
      back with the answer. Answers are JSON lines in the order of the file, each the text that its \
      request gets alone.

      With --chat the prompt is one user message, written with the model's chat template; 'flare \
      template' shows what the model then reads. A source is written the same way.

      EXAMPLE:
        flare run model.flare --chat --system "Answer in one sentence." -p "Who owns the cafe?"

      EXAMPLE:
        flare run model.flare --batch requests.jsonl --batch-size 16 -n 64 > answers.jsonl
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(
    name: [.customShort("p"), .long],
    help: "The text to continue. \\n stands for a line break.")
  var prompt: String?

  @Option(help: "The source text for a FLARE adapter, usually the prompt in English.")
  var source: String?

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var adapters: AdapterOptions

  @Flag(help: "Write the prompt with the model's chat template, as one user message.")
  var chat = false

  @OptionGroup var chatOptions: ChatOptions

  @OptionGroup var generation: GenerationArguments

  @Option(
    help: ArgumentHelp(
      "Answer the requests of a JSONL file, '-' for standard input.", valueName: "file"))
  var batch: FilePath?

  @Option(help: "How many requests of a batch are answered side by side (default: 8).")
  var batchSize: Int?

  @Flag(help: "Print the prompt before its continuation.")
  var echo = false

  @Flag(help: "Print a JSON object with the text and the speed at the end.")
  var json = false

  @OptionGroup var trust: TrustOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard (prompt == nil) != (batch == nil) else {
      throw ValidationError("give a prompt with '-p', or requests with '--batch'")
    }
    guard chat || !chatOptions.isGiven else {
      throw ValidationError("'--system' and the options of chat templates are for '--chat'")
    }
    guard batch != nil else {
      guard batchSize == nil else { throw ValidationError("'--batch-size' is for '--batch'") }
      return
    }
    guard 1...Self.maximumBatchSize ~= batchSize ?? 1 else {
      throw ValidationError(
        "'--batch-size' is \(batchSize ?? 0), expected 1 to \(Self.maximumBatchSize)")
    }
    let others = [
      ("--source", source != nil), ("--source-states", sourceOptions.sourceStates != nil),
      ("--source-cache", sourceOptions.sourceCache != nil), ("--echo", echo), ("--json", json),
      ("--chat", chat),
    ]
    guard let other = others.first(where: \.1)?.0 else { return }
    throw ValidationError(
      "'\(other)' is for one prompt; requests of '--batch' have their own, and answers are JSON")
  }

  /// Answers of texts that fit this many at a time are those of texts alone, to the bit.
  private static let maximumBatchSize = Kernels.exactRowCount

  func run() throws {
    let options = try generation.options()
    let kernels = try compute.kernels()
    let files = try trust.open(model)
    try trust.checking(files) { try run(files, options, with: kernels) }
  }

  private func run(
    _ files: ModelFiles, _ options: GenerationOptions, with kernels: Kernels
  ) throws {
    let model = try adapters.open(files, requiring: try trust.signature.keys(), with: kernels)
    let template = chat ? try chatOptions.template(of: files) : nil
    if let batch {
      let file = try RequestFile(batch, for: model, generation, sourceOptions)
      warn(about: model, isWithoutSource: file.lines.contains { $0.request.source == nil })
      generation.report(
        try BatchRun(model: model, lines: file.lines, batchSize: batchSize ?? 8).run())
    } else if let prompt {
      let source = try sourceOptions.source(
        try source.map { try framed($0.withLineBreaks, template, for: model).tokens },
        with: kernels)
      warn(about: model, isWithoutSource: source == nil)
      var options = options
      if let template, let tokenizer = model.tokenizer {
        options.endTokens = template.endOfTurnTokens(for: tokenizer)
      }
      let prompt = try framed(prompt.withLineBreaks, template, for: model)
      try answer(prompt, reading: source, with: model, options)
    }
  }

  /// A text and its tokens as the model reads them.
  private typealias Framed = (text: String, tokens: [Int])

  /// A text as it is, with the tokens that frame a text, or as a message in a template.
  private func framed(
    _ text: String, _ template: ChatTemplate?, for model: LanguageModel
  ) throws -> Framed {
    guard let template else { return (text, try model.encode(text)) }
    let rendered = try template.render(chatOptions.opening + [.user(text)])
    return (rendered, try model.encode(rendered, addingSpecialTokens: false))
  }

  private func warn(about model: LanguageModel, isWithoutSource: Bool) {
    guard model.adapters.readsSource && isWithoutSource else { return }
    let option =
      model.adapters.sourceProjection != nil
      ? "--source-states" : batch == nil ? "--source" : "a \"source\" of its own"
    let subject = batch == nil ? "it" : "a request"
    standardError.write(
      "flare: this model's adapter reads a source; without \(option) \(subject) runs a plain LoRA\n"
    )
  }

  private func answer(
    _ prompt: Framed, reading source: Source?, with model: LanguageModel,
    _ options: GenerationOptions
  ) throws {
    if echo && !json { standardOutput.write(prompt.text) }
    let start = ContinuousClock.now
    var firstPiece: ContinuousClock.Instant?
    var text = ""
    let answer = try model.continuation(of: prompt.tokens, reading: source, options) { piece in
      if firstPiece == nil { firstPiece = .now }
      if json { text += piece } else { standardOutput.write(piece) }
    }
    let end = ContinuousClock.now
    if json {
      writeJSON([
        "text": .string(text),
        "tokens": .integer(answer.tokens.count),
        "passes": .integer(answer.passCount),
        "guesses": .integer(answer.candidateCount),
        "right_guesses": .integer(answer.acceptedCount),
        "seconds_to_first_text": .number(((firstPiece ?? end) - start).seconds),
        "seconds": .number((end - start).seconds),
      ])
    } else {
      standardOutput.write("\n")
    }
    generation.report([answer])
  }
}
