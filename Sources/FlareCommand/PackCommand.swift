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
    let bar = ProgressBar("Packing", total: bundle.treeByteCount, unit: .bytes)
    defer { bar.finish() }
    try Bundle.pack(bundle, to: output, mayReplace: overwrite) { bar.advance(by: $0) }
    let (before, after) = (bundle.treeByteCount, output.treeByteCount)
    bar.finish()
    standardOutput.write("wrote \(output), \(byteText(after)) (\(byteText(before)) unpacked)\n")
  }
}

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

  @Flag(help: "Replace the directory if it exists.")
  var overwrite = false

  func run() throws {
    guard file.exists else { throw FileError(.notFound, file) }
    let bar = ProgressBar("Unpacking", total: file.treeByteCount, unit: .bytes)
    defer { bar.finish() }
    try Bundle.unpack(file, to: output, mayReplace: overwrite) { bar.advance(by: $0) }
    bar.finish()
    standardOutput.write("wrote \(output), \(byteText(output.treeByteCount))\n")
  }
}

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every byte of a bundle against its manifest.",
    discussion: """
      EXAMPLE:
        flare verify model.flare
      """)

  @Argument(help: "A bundle directory or a .flare file.")
  var bundle: FilePath

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    let bar = ProgressBar("Verifying", total: bundle.treeByteCount, unit: .bytes)
    defer { bar.finish() }
    let manifest = try Bundle.verify(bundle) { bar.advance(by: $0) }
    bar.finish()
    let byteCount = manifest.files.reduce(0) { $0 + $1.byteCount }
    standardOutput.write(
      "\(bundle): all \(manifest.files.count) files match their SHA-256, \(byteText(byteCount))\n")
  }
}
