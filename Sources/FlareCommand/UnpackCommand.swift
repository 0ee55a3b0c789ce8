import ArgumentParser
import Bundles
import Files
import Models
import SystemPackage

struct UnpackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpack",
    abstract: "Unpack a .flare file into a bundle directory, checking every byte.",
    discussion: """
      EXAMPLE:
        flare unpack model.flare -o model-bundle
      """)

  @Argument(help: "A .flare file.")
  var file: FilePath

  @Option(name: .shortAndLong, help: "The directory to write.")
  var output: FilePath

  @Flag(help: "Replace the model that is at the destination.")
  var overwrite = false

  func run() throws {
    guard file.exists else { throw FileError(.notFound, file) }
    if overwrite { try ModelFiles.checkReplaceable(output, asDirectory: true) }
    try output.checkApart(from: [file])
    let bar = ProgressBar("Unpacking", total: file.treeByteCount, unit: .bytes)
    try bar.during {
      try Bundle.unpack(file, to: output, mayReplace: overwrite) { bar.advance(by: $0) }
    }
    standardOutput.write("wrote \(output), \(byteText(output.treeByteCount))\n")
  }
}
