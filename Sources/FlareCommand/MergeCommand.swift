import Adapters
import ArgumentParser
import Conversion
import Models
import SystemPackage

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merge adapters into a checkpoint, as far as that is exact.",
    discussion: """
      Writes a Hugging Face directory and prints what became of each module. Fused q and v of a \
      FLARE adapter stay an adapter beside the merged weights, which Flare runs with them. \
      --verify runs probe tokens through the result and through the base with its adapters.

      EXAMPLE:
        flare merge base --adapter task-lora --adapter flare-id=0.8 -o merged --verify
      """)

  @Argument(
    help:
      "The base model: a Hugging Face directory, a .gguf file, a bundle or a name in the store.",
    completion: .file(), transform: FilePath.pathOrName)
  var base: FilePath

  @Option(name: .shortAndLong, help: "Where to write.")
  var output: FilePath

  @Flag(help: "Compare the result with the base and its adapters on probe tokens.")
  var verify = false

  @Flag(
    help: ArgumentHelp(
      "Merge into a quantized bundle or GGUF file, and write the like, as OUT is named.",
      discussion: "Each touched tensor is quantized again to its type, or to a finer one where "
        + "most of the adapter would be lost."))
  var intoQuantized = false

  @OptionGroup var adapters: AdapterOptions
  @OptionGroup var combination: CombinationOptions
  @OptionGroup var signature: SignatureOptions
  @OptionGroup var merging: MergingOptions
  @OptionGroup var options: ConversionOptions
  @OptionGroup var outputArguments: OutputArguments
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard !verify || !outputArguments.plan else {
      throw ValidationError("'--plan' writes nothing that '--verify' could look at")
    }
    guard !adapters.adapters.isEmpty else {
      throw ValidationError("nothing to merge: give at least one --adapter")
    }
    guard !verify || combination.combine == nil else {
      throw ValidationError(
        "'--verify' compares with adapters that run one after the other, which a combination "
          + "does not do")
    }
  }

  func run() throws {
    let kernels = try compute.kernels()
    var merging = merging.options
    merging.mergesIntoQuantized = intoQuantized
    merging.combination = combination.method
    let files = try signature.open(base)
    let request = ConversionRequest(
      model: files,
      adapters: try adapters.read(for: files, requiring: try signature.keys(), with: kernels),
      destination: output,
      form: intoQuantized ? ConversionRequest.Form(destination: output) : .huggingFace,
      elementType: options.dtype?.elementType,
      isSourceFree: self.merging.noSource, mayReplace: options.overwrite, merging: merging)
    try run(
      request, outputArguments, with: kernels, json: options.json, verifies: verify)
  }
}
