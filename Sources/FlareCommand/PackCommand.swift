import ArgumentParser
import Bundles
import Files
import JSON
import Kernels
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

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    try output.checkApart(from: [bundle])
    let bar = ProgressBar("Packing", total: bundle.treeByteCount, unit: .bytes)
    let report = try bar.during {
      try Bundle.pack(
        bundle, to: output, mayReplace: overwrite, workerCount: ThreadPool.coreCount
      ) { bar.advance(by: $0) }
    }
    if json {
      writeJSON(report.json(output))
    } else {
      standardOutput.write(report.table + "\n" + report.summary(output) + "\n")
    }
  }
}

extension PackingReport {
  /// A line for each file: what it was, what it became, and how.
  fileprivate var table: String {
    var table = TextTable(header: ["file", "how", "bytes", "packed", "saved"], labelCount: 2)
    for file in files {
      table.add([
        file.path, file.form.rawValue, groupedText(file.byteCount),
        groupedText(file.packedByteCount), savedText(file.byteCount, file.packedByteCount),
      ])
    }
    return table.text
  }

  fileprivate func summary(_ output: FilePath) -> String {
    "wrote \(output), \(byteText(packedByteCount)) (\(byteText(byteCount)) unpacked)"
  }

  /// The share of the bytes that is gone, when one is: small files grow by their headers.
  private func savedText(_ before: Int, _ after: Int) -> String {
    guard before > after else { return "-" }
    return decimalText(Double(before - after) / Double(before) * 100, 1) + " %"
  }

  fileprivate func json(_ output: FilePath) -> JSONValue {
    [
      "destination": .string(output.string), "bytes": .integer(byteCount),
      "packed_bytes": .integer(packedByteCount),
      "files": .array(
        files.map {
          [
            "path": .string($0.path), "form": .string($0.form.rawValue),
            "bytes": .integer($0.byteCount), "packed_bytes": .integer($0.packedByteCount),
          ]
        }),
    ]
  }
}
