import ArgumentParser
import Bundles
import Files
import SystemPackage

struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Pack a bundle directory into one .flare file.",
    discussion: """
      The file is a tar in zstd: the same bundle gives the same bytes, and tar --zstd -tf lists it.

      EXAMPLE:
        flare pack model-bundle -o model.flare
      """)

  @Argument(help: "A bundle directory.")
  var bundle: FilePath

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: FilePath

  @Flag(help: "Replace the file if it exists.")
  var overwrite = false

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    try output.checkApart(from: [bundle])
    let bar = ProgressBar("Packing", total: bundle.treeByteCount, unit: .bytes)
    try bar.during {
      try Bundle.pack(bundle, to: output, mayReplace: overwrite) { bar.advance(by: $0) }
    }
    let (before, after) = (bundle.treeByteCount, output.treeByteCount)
    standardOutput.write("wrote \(output), \(byteText(after)) (\(byteText(before)) unpacked)\n")
  }
}
