import ArgumentParser
import JSON
import Store

struct CollectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Free what no name in the store needs any more.",
    discussion: """
      Downloads that broke off go a day after they last grew. What a running pull needs stays.

      EXAMPLE:
        flare gc --dry-run
      """)

  @Flag(help: "Only say what would be freed.")
  var dryRun = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let waste = try Store.standard().collect(isDry: dryRun)
    if json {
      writeJSON([
        "dry_run": .boolean(dryRun), "files": .integer(waste.blobCount),
        "file_bytes": .integer(waste.blobByteCount), "partial_files": .integer(waste.partialCount),
        "partial_bytes": .integer(waste.partialByteCount),
      ])
    } else {
      let partial =
        waste.partialCount == 0
        ? "" : ", \(waste.partialCount) half-written with \(byteText(waste.partialByteCount))"
      standardOutput.write(
        "\(dryRun ? "would free" : "freed") \(byteText(waste.byteCount)): \(waste.blobCount) files "
          + "that no name needs\(partial)\n")
    }
  }
}
