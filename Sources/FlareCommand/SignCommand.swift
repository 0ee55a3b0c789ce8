import ArgumentParser
import Bundles
import Files
import Kernels
import SystemPackage

struct SignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign",
    abstract: "Sign a bundle with an Ed25519 key, after checking every byte of it.",
    discussion: """
      The signature is over the manifest, which has the SHA-256 of every file: weights, tokenizer, \
      chat template, licence. Several keys may sign one after the other.

      EXAMPLE:
        flare keygen -o acme
        flare sign model.flare --key acme.key
      """)

  @Argument(help: "A bundle directory or a .flare file.")
  var bundle: FilePath

  @Option(help: ArgumentHelp("The private key, as 'flare keygen' writes it.", valueName: "file"))
  var key: FilePath

  func run() throws {
    guard bundle.exists else { throw FileError(.notFound, bundle) }
    let key = try SigningKey(contentsOf: key)
    let bar = ProgressBar("Verifying", total: bundle.treeByteCount, unit: .bytes)
    let signers = try bar.during {
      try Bundle.sign(bundle, with: key, workerCount: ThreadPool.coreCount) { bar.advance(by: $0) }
    }
    let others = signers.count - 1
    standardOutput.write(
      "\(bundle): signed by \(key.verifyingKey)\(others > 0 ? ", and by \(others) more" : "")\n")
  }
}
