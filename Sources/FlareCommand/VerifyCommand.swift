import ArgumentParser
import Bundles
import Files
import JSON
import Kernels
import SystemPackage

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

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    let bar = ProgressBar("Verifying", total: bundle.treeByteCount, unit: .bytes)
    let manifest = try bar.during {
      try Bundle.verify(bundle, workerCount: ThreadPool.coreCount) { bar.advance(by: $0) }
    }
    let byteCount = manifest.files.reduce(0) { $0 + $1.byteCount }
    if json {
      writeJSON([
        "bundle": .string(bundle.string), "files": .integer(manifest.files.count),
        "bytes": .integer(byteCount),
      ])
    } else {
      standardOutput.write(
        "\(bundle): all \(manifest.files.count) files match their SHA-256, \(byteText(byteCount))\n"
      )
    }
  }
}
