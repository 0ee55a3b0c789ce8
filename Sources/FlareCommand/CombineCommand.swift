import Adapters
import ArgumentParser
import Conversion
import Files
import Models
import SystemPackage

struct CombineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "combine",
    abstract: "Make one LoRA adapter of several.",
    discussion: """
      Without --rank a linear combination is exact: its rank is the sum of the ranks. With it, and \
      for ties and dare, each delta is cut to its largest singular values.

      EXAMPLE:
        flare combine lora-a lora-b=0.5 -o both
        flare combine lora-a lora-b --combine ties --density 0.3 --rank 16 -o both
      """)

  @Argument(
    help: ArgumentHelp("LoRA adapters of one base.", valueName: "path[=weight]"))
  var adapters: [AdapterArgument]

  @OptionGroup var combination: CombinationOptions

  @Option(help: "The rank of the result.")
  var rank: Int?

  @Option(
    help: "The model that the adapters are for; GGUF adapters cannot be read without it.",
    transform: FilePath.pathOrName)
  var base: FilePath?

  @Option(name: .shortAndLong, help: "The directory to write.")
  var output: FilePath

  @Flag(help: "Replace the adapter that is at the destination.")
  var overwrite = false

  @OptionGroup var signature: SignatureOptions
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard adapters.count > 1 else {
      throw ValidationError("nothing to combine: give two adapters or more")
    }
    guard rank ?? 1 > 0 else {
      throw ValidationError("'--rank' is \(rank ?? 0), expected 1 or more")
    }
  }

  func run() throws {
    try output.checkApart(from: adapters.map(\.path))
    let kernels = try compute.kernels()
    if overwrite { try output.checkGivesWay(toAdapterDirectory: true) }
    let base = try base.map { try ModelFiles(argument: $0) }
    let keys = try signature.keys()
    let members = try adapters.map {
      AdapterStack.Member(
        try Adapter($0.path, for: base, requiring: keys, with: kernels), weight: $0.weight)
    }
    let names = Set(members.compactMap(\.adapter.baseModelName)).sorted()
    if names.count > 1 {
      standardError.write(
        "flare: warning: the adapters name different bases: \(names.joined(separator: ", "))\n")
    }
    let combination = try AdapterCombination(members, by: combination.method ?? .linear)
    let adapter = try combination.adapter(rank: rank, at: output, with: kernels)
    try adapter.writePEFT(to: output, mayReplace: overwrite)
    let ranks = Set(adapter.updates.map(\.rank)).sorted().map(String.init)
    standardOutput.write(
      "wrote \(output), \(adapter.updates.count) modules of rank \(ranks.joined(separator: " or ")), "
        + "\(byteText(output.treeByteCount))\n")
  }
}
