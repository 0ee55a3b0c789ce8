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
      FLARE adapter stay an adapter beside the merged weights, which Flare runs with them.

      EXAMPLE:
        flare merge base --adapter task-lora --adapter flare-id=0.8 -o merged
      """)

  @Argument(help: "The base model: a Hugging Face directory or an unquantized bundle.")
  var base: FilePath

  @Option(name: .shortAndLong, help: "The directory to write.")
  var output: FilePath

  @OptionGroup var adapters: AdapterOptions
  @OptionGroup var options: ConversionOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard !adapters.adapters.isEmpty else {
      throw ValidationError("nothing to merge: give at least one --adapter")
    }
  }

  func run() throws {
    let kernels = try compute.kernels()
    let request = ConversionRequest(
      model: try ModelFiles(base), adapters: try adapters.read(with: kernels),
      destination: output, form: .huggingFace, elementType: options.dtype?.elementType,
      isSourceFree: options.noSource, mayReplace: options.overwrite)
    try run(request, with: kernels, json: options.json)
  }
}
