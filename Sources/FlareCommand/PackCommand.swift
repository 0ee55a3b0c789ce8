import ArgumentParser
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage
import Tensors

struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Pack a bundle directory, or an adapter with the identity of its base.",
    discussion: """
      The file is a tar in zstd: the same bundle gives the same bytes, and tar --zstd -tf lists it.

      A packaged adapter runs on the model it was made for and no other, whatever file that \
      model is in.

      EXAMPLE:
        flare pack model-bundle -o model.flare
        flare pack flare-id --base Llama-3.2-1B -o flare-id.flare
        flare pack tuned --delta-from base -o tuned-delta.flare
      """)

  @Argument(
    help: "A bundle directory, a name in the store, or an adapter.", completion: .file(),
    transform: FilePath.pathOrName)
  var bundle: FilePath

  @Option(
    help: "The model that an adapter was trained on, unquantized.",
    transform: FilePath.pathOrName)
  var base: FilePath?

  @Option(
    help: "Pack only what differs from this model: a delta, for 'flare apply'.",
    transform: FilePath.pathOrName)
  var deltaFrom: FilePath?

  @Option(help: "The licence of an adapter: an SPDX expression or a name.")
  var license: String?

  @Option(name: .shortAndLong, help: "The file to write.")
  var output: FilePath

  @Flag(help: "Replace the file if it exists.")
  var overwrite = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    guard !bundle.isRegularFile || !Bundle.isBundle(bundle) || deltaFrom != nil else {
      throw ValidationError("\(bundle) is packed already")
    }
    try output.checkApart(from: [bundle])
    guard base == nil || deltaFrom == nil else {
      throw ValidationError("'--base' is for adapters and '--delta-from' for models; give one")
    }
    if let deltaFrom { return try pack(deltaFrom: try ModelFiles(wholeArgument: deltaFrom)) }
    if let base { return try pack(adapterFor: try ModelFiles(wholeArgument: base)) }
    guard Bundle.isBundle(bundle) || !AdapterConversion.isAdapter(bundle) else {
      throw ValidationError(
        "\(bundle) is an adapter, which is packed with the identity of its base. Pass --base")
    }
    guard license == nil else { throw ValidationError("'--license' is for adapters") }
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

extension PackCommand {
  fileprivate func pack(deltaFrom base: ModelFiles) throws {
    try output.checkApart(from: [base.path])
    let model = try ModelFiles(wholeArgument: bundle)
    let bar = ProgressBar(
      "Comparing", total: base.weightByteCount + model.weightByteCount, unit: .bytes)
    let packaging = try bar.during {
      try DeltaPackaging(model, from: base, with: try Kernels()) { bar.advance(by: $0) }
    }
    try packaging.run(to: output, mayReplace: overwrite, workerCount: ThreadPool.coreCount)
    let (changed, all) = (packaging.changedNames.count, model.tensors.tensorInfos.count)
    if json {
      writeJSON([
        "destination": .string(output.string), "base": .string(base.name),
        "changed_tensors": .integer(changed),
        "removed_tensors": .integer(packaging.removedNames.count),
        "bytes": .integer(output.treeByteCount),
      ])
    } else {
      standardOutput.write(
        "wrote \(output), \(byteText(output.treeByteCount)): \(changed) of \(all) tensors differ from "
          + "'\(base.name)'\n")
    }
  }

  fileprivate func pack(adapterFor base: ModelFiles) throws {
    guard !Bundle.isBundle(bundle) else {
      throw ValidationError(
        "\(bundle) is a bundle already, and knows its base. Leave out --base to make one file of it"
      )
    }
    let bar = ProgressBar(
      "Looking at the base", total: base.weightByteCount,
      unit: .bytes)
    let packaging = try bar.during {
      try AdapterPackaging(bundle, for: base, license: license, with: try Kernels()) {
        bar.advance(by: $0)
      }
    }
    try packaging.run(to: output, mayReplace: overwrite, workerCount: ThreadPool.coreCount)
    let fingerprint = packaging.identity.fingerprint
    if json {
      writeJSON([
        "destination": .string(output.string), "base": .string(packaging.base.name),
        "base_fingerprint": .string(fingerprint), "bytes": .integer(output.treeByteCount),
      ])
    } else {
      standardOutput.write(
        "wrote \(output), \(byteText(output.treeByteCount)), for '\(packaging.base.name)' "
          + "(\(fingerprint.prefix(12)))\n")
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
