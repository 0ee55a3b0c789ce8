import ArgumentParser
import Bundles
import Files
import SystemPackage

struct KeygenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen",
    abstract: "Make a pair of keys to sign bundles with.",
    discussion: """
      NAME.key signs and stays with you; only you can read the file. NAME.pub is for those who check: \
      give it to them by another way than the bundles. Both are PEM, which openssl reads.

      EXAMPLE:
        flare keygen -o acme
        flare sign model.flare --key acme.key
        flare verify model.flare --key acme.pub
      """)

  @Option(name: .shortAndLong, help: "The name of both files, without .key and .pub.")
  var output: FilePath

  func run() throws {
    let (secret, open) = (FilePath(output.string + ".key"), FilePath(output.string + ".pub"))
    for file in [secret, open] where file.exists {
      throw FileError(.notReplaceable, file, detail: "it may be a key that is still needed")
    }
    let key = SigningKey()
    // The public file first: a private key is never left without the half that others need.
    let file = try NewFile(open)
    try file.write(key.verifyingKey.pem)
    try file.commit()
    try key.write(to: secret)
    standardOutput.write("wrote \(secret) (keep it to yourself) and \(open), \(key.verifyingKey)\n")
  }
}
