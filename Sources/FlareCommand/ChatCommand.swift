import Adapters
import ArgumentParser
import Kernels
import Models
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct ChatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat",
    abstract: "Talk with a model, turn by turn.",
    discussion: """
      The model's chat template writes the conversation; see 'flare template'. Lines that begin with \
      a slash are for Flare: /help lists them. Ctrl-C stops an answer, Ctrl-D leaves.

      EXAMPLE:
        flare chat model.flare --system "Answer in one sentence." --temperature 0.7

      When standard input is no terminal, each line is a turn and only answers are printed.

      EXAMPLE:
        printf 'Who built the bridge?\\nWhen?\\n' | flare chat model.flare

      A FLARE adapter runs as a plain LoRA here: a conversation has no source beside it. 'flare run \
      --chat --source' answers one question with a source.
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @OptionGroup var chat: ChatOptions
  @OptionGroup var adapters: AdapterOptions
  @OptionGroup var generation: GenerationArguments

  @Option(
    help: ArgumentHelp(
      "The most tokens of the conversation (default: what the model has positions for, up to 8192).",
      valueName: "tokens"))
  var context: Int?

  @OptionGroup var trust: TrustOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard generation.speculate == nil else {
      throw ValidationError("'--speculate' is not for 'chat', which verifies no guesses")
    }
  }

  /// More than this is asked for by name: keys and values of a long context take gigabytes.
  private static let standardContext = 8192

  func run() throws {
    let options = try generation.options(standardCount: .max)
    let files = try trust.open(model)
    try trust.checking(files) { try run(files, options) }
  }

  private func run(_ files: ModelFiles, _ options: GenerationOptions) throws {
    let template = try chat.template(of: files)
    let model = try adapters.open(
      files, requiring: try trust.signature.keys(), with: try compute.kernels())
    let context =
      context ?? min(model.configuration.maximumPositionCount, Self.standardContext)
    let conversation = try Conversation(with: model, template, options, contextSize: context)
    conversation.messages = chat.opening
    if model.adapters.readsSource {
      standardError.write(
        "flare: this model's adapter reads a source; a conversation has none, so it runs a plain "
          + "LoRA\n")
    }
    let isInteractive = isatty(STDIN_FILENO) == 1
    if isInteractive { standardError.write("flare: \(files.name); /help lists what you can do\n") }
    var loop = ChatLoop(conversation, isInteractive: isInteractive)
    try loop.run()
  }
}
