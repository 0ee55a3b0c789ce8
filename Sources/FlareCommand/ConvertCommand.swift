import Adapters
import ArgumentParser
import Conversion
import Models
import SystemPackage

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Merge, quantize and write a model in another form, in one pass.",
    discussion: """
      OUT is one file when it is named *.flare, else a bundle directory; --to says otherwise. \
      Adapters are merged as far as that is exact; what must see the source text at run time \
      travels beside the weights.

      EXAMPLE:
        flare convert base --adapter task-lora --adapter flare-id --quantize int4 -o model.flare
      """)

  @Argument(help: "A Hugging Face directory, a bundle directory or a .flare file.")
  var model: FilePath

  @Option(name: .shortAndLong, help: "Where to write.")
  var output: FilePath

  @Option(help: "The form to write: hf, bundle (a directory) or flare (one file).")
  var to: ConversionRequest.Form?

  @Option(help: "Quantize weights to int8 or int4 (in groups of 32 along a row).")
  var quantize: QuantizationArgument?

  @OptionGroup var adapters: AdapterOptions
  @OptionGroup var options: ConversionOptions
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    let kernels = try compute.kernels()
    let files = try ModelFiles(model)
    let request = ConversionRequest(
      model: files, adapters: try adapters.read(for: files, with: kernels),
      destination: output, form: to ?? ConversionRequest.Form(destination: output),
      quantization: quantize?.scheme, elementType: options.dtype?.elementType,
      isSourceFree: options.noSource, mayReplace: options.overwrite,
      merging: options.merging)
    try run(request, with: kernels, json: options.json)
  }
}
