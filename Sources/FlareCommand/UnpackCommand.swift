import ArgumentParser
import Bundles
import Files
import Kernels
import Models
import SystemPackage

struct UnpackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpack",
    abstract: "Unpack a .flare file into a bundle directory, checking every byte.",
    discussion: """
      EXAMPLE:
        flare unpack model.flare -o model-bundle
        flare unpack model.flare --file tokenizer.json -o tokenizer.json
      """)

  @Argument(help: "A .flare file.")
  var file: FilePath

  @Option(name: .shortAndLong, help: "The directory to write; with --file, the file.")
  var output: FilePath

  @Option(
    name: .customLong("file"),
    help: "Unpack only this file, by its path in the bundle, without reading the others.")
  var single: String?

  @OptionGroup var signature: SignatureOptions

  @Flag(help: "Replace what is at the destination: a model; with --file, a file.")
  var overwrite = false

  func run() throws {
    guard file.exists else { throw FileError(.notFound, file) }
    if let single { return try unpack(single) }
    if overwrite { try ModelFiles.checkReplaceable(output, asDirectory: true) }
    try output.checkApart(from: [file])
    let bar = ProgressBar("Unpacking", total: file.treeByteCount, unit: .bytes)
    try bar.during {
      try Bundle.unpack(
        file, to: output, requiring: try signature.keys(), mayReplace: overwrite,
        workerCount: ThreadPool.coreCount
      ) { bar.advance(by: $0) }
    }
    standardOutput.write("wrote \(output), \(byteText(output.treeByteCount))\n")
  }

  /// Unpacks the file `name` alone.
  private func unpack(_ name: String) throws {
    try output.checkApart(from: [file])
    let files = try ArchivedFiles(file, requiring: try signature.keys())
    let byteCount = files.manifest.files.first { $0.path == name }?.byteCount ?? 0
    let destination = try NewFile(output, mayReplace: overwrite)
    let bar = ProgressBar("Unpacking", total: byteCount, unit: .bytes)
    try bar.during {
      try files.read(name, to: destination, workerCount: ThreadPool.coreCount) {
        bar.advance(by: $0)
      }
    }
    try destination.commit()
    standardOutput.write("wrote \(output), \(byteText(byteCount))\n")
  }
}
