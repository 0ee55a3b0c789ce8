import ArgumentParser
import Bundles
import Conversion
import Files
import Models
import SystemPackage

struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: "Make a bundle again from its recipe, and compare every byte.",
    discussion: """
      The manifest says what went in, by digest, and what was done. What is given here has to be \
      that; where it lies and what it is called does not matter. So it is the manifest alone that has \
      to be signed where that is required; that of a manifest.json is beside it.

      EXAMPLE:
        flare reproduce model.flare --model base --adapter flare-id -o again.flare
      """)

  @Argument(
    help: "A bundle, a name in the store, or a manifest.json.", completion: .file(),
    transform: FilePath.pathOrName)
  var manifest: FilePath

  @Option(help: "The model that went in.", transform: FilePath.pathOrName)
  var model: FilePath

  @Option(
    name: .customLong("adapter"), help: "An adapter that went in; repeat it for several.",
    transform: FilePath.pathOrName)
  var adapters: [FilePath] = []

  @Option(name: .shortAndLong, help: "Where to write: a directory, or one file named *.flare.")
  var output: FilePath

  @Flag(help: "Replace the bundle that is at the destination.")
  var overwrite = false

  @OptionGroup var signature: SignatureOptions
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    try output.checkApart(from: [manifest, model] + adapters)
    let reproduction = try Reproduction(
      manifest, model: try ModelFiles(wholeArgument: model), adapters: adapters, to: output,
      requiring: try signature.keys(), mayReplace: overwrite, with: try compute.kernels())
    let progress = ConversionProgress(.auto, total: reproduction.conversion.byteCount)
    var difference: String?
    try progress.during { difference = try reproduction.run { progress.advance($0) } }
    guard let difference else {
      let count = reproduction.expected.files.count
      standardOutput.write(
        "\(output): all \(count) files are those of \(manifest), byte for byte\n")
      return
    }
    standardError.write(
      "flare: \(output): \(difference), so that it is not \(manifest). It is kept, to be compared\n"
    )
    throw ExitCode(65)
  }
}
