import ArgumentParser
import Files
import Models
import SystemPackage

struct CacheSourceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache-source",
    abstract: "Read a source text once and keep what a FLARE adapter needs of it.",
    discussion: """
      The file is safetensors with A·s for each fused layer. It belongs to the model and the \
      adapters that it was made with; run and logits take it with --source-cache and read no \
      source then.

      EXAMPLE:
        flare cache-source model.flare --source "Where does Maya live?" -o source.safetensors
        flare run model.flare -p "Di mana Maya tinggal?" --source-cache source.safetensors
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(help: "The source text. \\n stands for a line break.")
  var source: String?

  @Option(help: "Token ids of the source text instead.")
  var sourceTokens: TokenList?

  @OptionGroup var adapters: AdapterOptions

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: FilePath

  @Flag(help: "Replace the file if it exists.")
  var overwrite = false

  @OptionGroup var trust: TrustOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard (source == nil) != (sourceTokens == nil) else {
      throw ValidationError("give the source as '--source' or as '--source-tokens'")
    }
  }

  func run() throws {
    try output.checkApart(from: [model] + adapters.adapters.map(\.path))
    let kernels = try compute.kernels()
    let files = try trust.open(model)
    let cache = try trust.checking(files) {
      let model = try adapters.open(files, requiring: try trust.signature.keys(), with: kernels)
      let tokens = try sourceTokens?.tokens ?? model.encode((source ?? "").withLineBreaks)
      return try model.sourceCache(of: .tokens(tokens))
    }
    try cache.write(to: output, mayReplace: overwrite)
    standardOutput.write(
      "wrote \(output), \(cache.positionCount) source tokens, \(byteText(output.treeByteCount))\n")
  }
}
