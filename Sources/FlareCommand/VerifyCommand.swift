import ArgumentParser
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every byte of a bundle against its manifest.",
    discussion: """
      --numeric also asks the model what it was asked when it was made, and compares the answers.

      EXAMPLE:
        flare verify model.flare
        flare verify model.flare --numeric
      """)

  @Argument(help: "A bundle directory or a .flare file.")
  var bundle: FilePath

  @Flag(help: "Run the probes that 'flare convert --probe' stored in the bundle.")
  var numeric = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    let bar = ProgressBar("Verifying", total: bundle.treeByteCount, unit: .bytes)
    let manifest = try bar.during {
      try Bundle.verify(bundle, workerCount: ThreadPool.coreCount) { bar.advance(by: $0) }
    }
    let byteCount = manifest.files.reduce(0) { $0 + $1.byteCount }
    let probes = try numeric ? checkProbes() : nil
    if json {
      var document: JSONObject = [
        "bundle": .string(bundle.string), "files": .integer(manifest.files.count),
        "bytes": .integer(byteCount),
      ]
      if let probes {
        document["probes"] = .integer(probes.count)
        document["largest_logit_difference"] = .number(Double(probes.largestDifference))
      }
      writeJSON(.object(document))
    } else {
      standardOutput.write(
        "\(bundle): all \(manifest.files.count) files match their SHA-256, \(byteText(byteCount))\n"
      )
      if let probes {
        standardOutput.write(
          "\(bundle): \(probes.count) probes give the logits they gave, within "
            + "\(scientificText(Double(probes.largestDifference)))\n")
      }
    }
  }

  private func checkProbes() throws -> (count: Int, largestDifference: Float) {
    let files = try ModelFiles(bundle)
    guard let probes = try NumericProbes(of: files) else {
      throw ValidationError("\(bundle) holds no probes, which 'flare convert --probe' stores")
    }
    return try probes.check(try LanguageModel(files, with: try Kernels()), at: bundle)
  }
}
