import ArgumentParser
import Files
import JSON
import Kernels
import Store
import SystemPackage

struct AddCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Copy a bundle into the store under a short name.",
    discussion: """
      Files that the store has already are shared. Every command takes the name for a model, unless \
      there is a path that is spelled like it.

      EXAMPLE:
        flare add model.flare maya:int4
        flare run maya:int4 -p "Di mana Maya tinggal?"
      """)

  @Argument(help: "A bundle directory or a .flare file.")
  var bundle: FilePath

  @Argument(help: "A name without a registry, such as team/maya:int4.")
  var name: String

  @Flag(help: "Take the name from what it stands for.")
  var overwrite = false

  @Flag(help: "Read files that are in the store through, and replace those that are damaged.")
  var check = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let name = try StoreName(name)
    let bar = ProgressBar("Adding", total: bundle.treeByteCount, unit: .bytes)
    let stored = try bar.during {
      try Store.standard().add(
        bundle, as: name, mayReplace: overwrite, checksPresent: check,
        workerCount: ThreadPool.coreCount
      ) { bar.advance(by: $0) }
    }
    if json {
      writeJSON([
        "name": .string(stored.record.name), "bytes": .integer(stored.record.byteCount),
        "shared_bytes": .integer(stored.sharedByteCount),
      ])
    } else {
      standardOutput.write(
        "added \(name), \(byteText(stored.record.byteCount)), of which "
          + "\(byteText(stored.sharedByteCount)) were in the store\n")
    }
  }
}
