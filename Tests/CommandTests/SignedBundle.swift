import Files
import SystemPackage
import TestSupport
import Testing

/// A signed bundle, its archive, and two public keys of which the first signed.
struct SignedBundle {
  let directory: FilePath
  var bundle: String { directory.appending("b").string }
  var archive: String { directory.appending("b.flare").string }
  var key: String { directory.appending("acme.pub").string }
  var privateKey: String { directory.appending("acme.key").string }
  var otherKey: String { directory.appending("other.pub").string }

  init(in directory: FilePath) throws {
    self.directory = directory
    for name in ["acme", "other"] {
      try run("keygen", "-o", directory.appending(name).string)
    }
    try run("convert", BundleTests.base.string, "-o", bundle)
    try run("sign", bundle, "--key", directory.appending("acme.key").string)
    try run("pack", bundle, "-o", archive)
  }

  @discardableResult
  func run(_ arguments: String...) throws -> String {
    let process = try FinishedProcess("flare", arguments)
    #expect(process.exitCode == 0, "\(process.errors)")
    return process.output
  }

  /// Runs a command that has to fail with exit code 65, and gives what it says.
  func refusal(_ arguments: String...) throws -> String {
    let process = try FinishedProcess("flare", arguments)
    #expect(process.exitCode == 65, "\(process.errors)")
    return process.errors
  }

  /// Changes a byte in the middle of the weights.
  func damage() throws {
    let weights = FilePath(bundle).appending("model.safetensors")
    var bytes = try weights.readBytes()
    bytes[bytes.count / 2] ^= 1
    try weights.overwrite(bytes)
  }
}
