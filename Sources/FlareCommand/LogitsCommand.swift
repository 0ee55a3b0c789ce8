import ArgumentParser
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import WeightFiles

struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Write the logits of a list of tokens, to check a conversion.",
    discussion: """
      The file is safetensors with one tensor, "logits", F32 [tokens, vocabulary].

      EXAMPLE:
        flare logits model.flare --tokens 1,2,3 -o logits.safetensors
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(help: "Token ids with commas between.")
  var tokens: TokenList

  @Option(help: "Token ids of the source text, for a FLARE adapter.")
  var sourceTokens: TokenList?

  @OptionGroup var sourceOptions: SourceOptions

  @Option(
    help: "How many of the tokens are the prompt that a source is aligned with (default: all).")
  var promptLength: Int?

  @OptionGroup var adapters: AdapterOptions

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: FilePath

  @Flag(help: "Replace the file if it exists.")
  var overwrite = false

  @OptionGroup var keyValues: KeyValueOptions
  @OptionGroup var trust: TrustOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard 1...tokens.tokens.count ~= promptLength ?? 1 else {
      throw ValidationError(
        "'--prompt-length' is \(promptLength ?? 0), expected 1 to \(tokens.tokens.count)")
    }
  }

  func run() throws {
    try output.checkApart(from: [model] + adapters.adapters.map(\.path))
    let kernels = try compute.kernels()
    let files = try trust.open(model)
    let logits = try trust.checking(files) {
      let model = try adapters.open(files, requiring: try trust.signature.keys(), with: kernels)
      let source = try sourceOptions.source(sourceTokens?.tokens, with: kernels)
      guard source != nil || promptLength == nil else {
        throw ValidationError(
          "'--prompt-length' says what a source is aligned with, and none is given")
      }
      return try model.logits(
        of: tokens.tokens, promptCount: promptLength, source: source,
        keyValueType: keyValues.kvType ?? .float32)
    }
    let tensor = kernels.tensor(
      logits, shape: [logits.rowCount, logits.columnCount], as: .float32)
    let table = TensorTable([("logits", tensor)])
    try SafetensorsPlan(table.tensorInfos).write(table, to: output, mayReplace: overwrite)
  }
}
