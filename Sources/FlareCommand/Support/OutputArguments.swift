import ArgumentParser
import Conversion
import Files
import SystemPackage

/// Options of the commands that write a model: how it is written, and how large.
struct OutputArguments: ParsableArguments {
  @Flag(
    help: "Print what would be written, tensor by tensor, and stop; with --json for --plan-file.")
  var plan = false

  @Option(
    help: ArgumentHelp(
      "Give the tensors whose name has a match for REGEX a type (repeatable; the first match "
        + "counts). --plan prints the names.", valueName: "regex=type"))
  var tensorType: [String] = []

  @Option(
    help: ArgumentHelp(
      "Take the type of every tensor from a plan that '--plan --json' printed.",
      valueName: "file"))
  var planFile: FilePath?

  @Option(
    help: ArgumentHelp(
      "Split the weights into files of at most this size, such as 4GB.", valueName: "size"))
  var maxShardSize: ByteCountArgument?

  @Flag(help: "Go on with an earlier run that did not finish; begins anew when there is none.")
  var resume = false

  @Option(
    help: ArgumentHelp(
      "Memory that may be used at a time, mapped files not counted.", valueName: "size"))
  var memory: ByteCountArgument = ByteCountArgument(byteCount: 400_000_000)

  @Option(help: "How progress is told on standard error: auto, json or none.")
  var progress: ProgressArgument = .auto
}

extension OutputArguments {
  /// Puts the options into a request.
  func apply(to request: inout ConversionRequest) throws {
    for rule in tensorType { try request.types.append(rule) }
    if let planFile { try request.types.take(planAt: planFile) }
    request.output.resumes = resume
    request.output.memoryBudget = memory.byteCount
    request.output.maximumShardByteCount = maxShardSize?.byteCount
  }

  /// The options that were given and mean nothing where no model is written.
  var given: [(name: String, isGiven: Bool)] {
    [
      ("--plan", plan), ("--tensor-type", !tensorType.isEmpty), ("--plan-file", planFile != nil),
      ("--max-shard-size", maxShardSize != nil), ("--resume", resume),
      ("--progress", progress != .auto),
    ]
  }
}

/// A number of bytes with a unit: `400MB`, `2.5GB`, `1GiB`, or plain bytes.
struct ByteCountArgument: ExpressibleByArgument {
  let byteCount: Int

  private static let units: KeyValuePairs = [
    "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40, "KB": 1_000,
    "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000, "K": 1_000, "M": 1_000_000,
    "G": 1_000_000_000, "B": 1, "": 1,
  ]

  init(byteCount: Int) { self.byteCount = byteCount }

  init?(argument: String) {
    let text = argument.uppercased().filter { $0 != " " }
    guard let unit = Self.units.first(where: { text.hasSuffix($0.key) }),
      let number = Double(text.dropLast(unit.key.count)), number > 0,
      let byteCount = Int(exactly: (number * Double(unit.value)).rounded()), byteCount > 0
    else { return nil }
    self.byteCount = byteCount
  }

  var defaultValueDescription: String {
    "\(byteText(byteCount))".replacing(" ", with: "").replacing(".0", with: "")
  }
}
