import ArgumentParser
import Conversion
import Models
import SystemPackage

struct ApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Make a model of a base and a delta.",
    discussion: """
      A delta, which 'flare pack MODEL --delta-from BASE' writes, holds the tensors in which a model \
      differs from a base. The base is checked before, and the weights of the result are; so it is \
      the delta alone that has to be signed where that is required.

      EXAMPLE:
        flare pack tuned --delta-from base -o tuned-delta.flare
        flare apply tuned-delta.flare --base base -o tuned
      """)

  @Argument(
    help: "A delta: a directory, a .flare file or a name in the store.", completion: .file(),
    transform: FilePath.pathOrName)
  var delta: FilePath

  @Option(
    help: "The model that the delta was taken from, in any form that keeps its numbers.",
    transform: FilePath.pathOrName)
  var base: FilePath

  @Option(name: .shortAndLong, help: "Where to write.")
  var output: FilePath

  @Option(help: "The form to write: gguf, hf (default), bundle or flare.")
  var to: FormArgument?

  @OptionGroup var signature: SignatureOptions
  @OptionGroup var options: ConversionOptions
  @OptionGroup var outputArguments: OutputArguments
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    let kernels = try compute.kernels()
    let base = try ModelFiles(wholeArgument: base)
    let bar = ProgressBar("Looking at the base", total: base.weightByteCount, unit: .bytes)
    let files = try bar.during {
      try ModelFiles(delta: delta, on: base, requiring: try signature.keys(), with: kernels) {
        bar.advance(by: $0)
      }
    }
    let named = ConversionRequest.Form(destination: output)
    let request = ConversionRequest(
      model: files, destination: output,
      form: try to.map { try $0.modelForm } ?? (named == .bundle ? .huggingFace : named),
      elementType: options.dtype?.elementType, mayReplace: options.overwrite)
    try run(request, outputArguments, with: kernels, json: options.json)
  }
}
