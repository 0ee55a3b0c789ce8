import ArgumentParser
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import Store
import SystemPackage

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every byte of a bundle against its manifest, and who signed that.",
    discussion: """
      Damage is told by its place: the file, the bytes, and the tensors in them. Signatures in the \
      bundle are always checked; whose they are, only --key can tell.
      --numeric also asks the model what it was asked when it was made, and compares the answers.

      EXAMPLE:
        flare verify model.flare
        flare verify model.flare --numeric
        flare verify model.flare --key acme.pub
      """)

  @Argument(help: "A bundle directory, a .flare file or a name in the store.")
  var bundle: FilePath

  @Flag(help: "Run the probes that 'flare convert --probe' stored in the bundle.")
  var numeric = false
  @Option(
    help: ArgumentHelp(
      "A public key: the bundle is refused unless this one, or another given the same way, has "
        + "signed it.", valueName: "key.pub"))
  var key: [FilePath] = []

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard let (store, name) = stored else { return try verify(bundle) }
    try store.explainingRepair(of: name) {
      // What the bundle's manifest does not list, and so cannot vouch for, is compared with what the
      // store has noted.
      let place = try store.verifyManifest(name)
      guard !Bundle.isBundle(place), key.isEmpty, !numeric else { return try verify(place) }
      // A model as others push them: there is nothing but the digests, which are right by now.
      report(try store.record(name))
    }
  }

  private func report(_ record: StoreRecord) {
    if json {
      writeJSON([
        "bundle": .string(bundle.string), "files": .integer(record.files.count),
        "bytes": .integer(record.byteCount), "signers": [],
      ])
    } else {
      standardOutput.write(
        "\(bundle): all \(record.files.count) files match the digests that they were pulled by, "
          + "\(byteText(record.byteCount))\nno bundle, so not signed\n")
    }
  }

  private func verify(_ place: FilePath) throws {
    guard place.exists else { throw FileError(.notFound, bundle) }
    let bar = ProgressBar("Verifying", total: place.treeByteCount, unit: .bytes)
    let keys = try key.map { try VerifyingKey(contentsOf: $0) }
    let result = try bar.during {
      try Bundle.verify(place, requiring: keys, workerCount: ThreadPool.coreCount) {
        bar.advance(by: $0)
      }
    }
    let manifest = result.manifest
    let byteCount = manifest.files.reduce(0) { $0 + $1.byteCount }
    let probes = try numeric ? checkProbes(place) : nil
    if json {
      var document: JSONObject = [
        "bundle": .string(bundle.string), "files": .integer(manifest.files.count),
        "bytes": .integer(byteCount),
        "signers": .array(
          result.signers.map {
            ["key": .string($0.description), "expected": .boolean(keys.contains($0))]
          }),
      ]
      if let probes {
        document["probes"] = .integer(probes.count)
        document["largest_logit_difference"] = .number(Double(probes.largestDifference))
      }
      writeJSON(.object(document))
    } else {
      standardOutput.write(
        "\(bundle): all \(manifest.files.count) files match their SHA-256, \(byteText(byteCount))\n"
          + signatureText(result.signers, expecting: keys))
      if let probes {
        standardOutput.write(
          "\(bundle): \(probes.count) \(probes.count == 1 ? "probe gives" : "probes give") the logits of packing, within "
            + "\(scientificText(Double(probes.largestDifference)))\n")
      }
    }
  }

  /// The name in the store, when that is what is meant.
  private var stored: (Store, StoreName)? {
    guard !bundle.exists, let name = try? StoreName(bundle.string),
      let store = try? Store.standard(), store.contains(name)
    else { return nil }
    return (store, name)
  }

  private func checkProbes(_ place: FilePath) throws -> (count: Int, largestDifference: Float) {
    let files = try ModelFiles(place)
    guard let probes = try NumericProbes(of: files) else {
      throw ValidationError("\(bundle) holds no probes, which 'flare convert --probe' stores")
    }
    return try probes.check(try LanguageModel(files, with: try Kernels()), at: bundle)
  }

  /// A line for each key that signed.
  private func signatureText(_ signers: [VerifyingKey], expecting keys: [VerifyingKey]) -> String {
    if signers.isEmpty { return "not signed\n" }
    return signers.map { signer in
      let note =
        keys.contains(signer)
        ? "as required"
        : keys.isEmpty ? "whoever that is: pass --key to check it" : "not among the keys given"
      return "signed by \(signer), \(note)\n"
    }.joined()
  }
}
