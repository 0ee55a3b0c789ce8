import ArgumentParser
import Bundles
import Files
import JSON
import Kernels
import Store
import SystemPackage

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every byte of a bundle against its manifest.",
    discussion: """
      EXAMPLE:
        flare verify model.flare
      """)

  @Argument(help: "A bundle directory, a .flare file or a name in the store.")
  var bundle: FilePath

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    if !bundle.exists, let name = try? StoreName(bundle.string), let store = try? Store.standard(),
      store.contains(name)
    {
      return try verify(name, in: store)
    }
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    let bar = ProgressBar("Verifying", total: bundle.treeByteCount, unit: .bytes)
    let manifest = try bar.during {
      try Bundle.verify(bundle, workerCount: ThreadPool.coreCount) { bar.advance(by: $0) }
    }
    report(manifest.files.count, manifest.files.reduce(0) { $0 + $1.byteCount })
  }

  private func verify(_ name: StoreName, in store: Store) throws {
    let bar = ProgressBar("Verifying", total: try store.record(name).byteCount, unit: .bytes)
    let record = try bar.during { try store.verify(name) { bar.advance(by: $0) } }
    report(record.files.count, record.byteCount)
  }

  private func report(_ fileCount: Int, _ byteCount: Int) {
    if json {
      writeJSON([
        "bundle": .string(bundle.string), "files": .integer(fileCount),
        "bytes": .integer(byteCount),
      ])
    } else {
      standardOutput.write(
        "\(bundle): all \(fileCount) files match their SHA-256, \(byteText(byteCount))\n")
    }
  }
}
