import Files
import SystemPackage
import TestSupport
import Testing

/// What is made of a bundle gets hashes of its own, so nothing that is damaged may go in.
struct DamagedInputTests {
  /// Changes one letter of a file, which keeps its size.
  private func spoil(_ file: FilePath, _ letter: Character, to other: Character) throws {
    var text = try file.readText()
    let place = try #require(text.firstIndex(of: letter))
    text.replaceSubrange(place...place, with: String(other))
    try file.overwrite(text)
  }

  @Test func `nothing is made of a bundle with a damaged weight`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      try signed.damage()
      let out = directory.appending("out").string
      for arguments in [
        ["convert", signed.bundle, "--quantize", "int4", "-o", out],
        ["merge", signed.bundle, "--adapter", TrustPaths.adapter, "-o", out],
        ["export", signed.bundle, "--hf", out],
        ["pack", TrustPaths.adapter, "--base", signed.bundle, "-o", out],
        ["pack", signed.bundle, "--delta-from", BundleTests.base.string, "-o", out],
        ["pack", signed.bundle, "-o", out],
      ] {
        let process = try FinishedProcess("flare", arguments)
        #expect(process.exitCode == 65, "\(arguments)")
        #expect(process.errors.contains("/model.safetensors: was changed or damaged"))
        #expect(!FilePath(out).exists)
      }
    }
  }

  @Test func `a delta with another configuration makes no model`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let (tuned, delta) = (directory.appending("tuned"), directory.appending("delta"))
      try signed.run(
        "merge", BundleTests.base.string, "--adapter", TrustPaths.adapter, "-o", tuned.string)
      try signed.run(
        "pack", tuned.string, "--delta-from", BundleTests.base.string, "-o", delta.string)
      let (base, out) = (BundleTests.base.string, directory.appending("out"))
      try signed.run("apply", delta.string, "--base", base, "-o", out.string)
      try spoil(delta.appending("config.json"), "1", to: "2")
      let refusal = try signed.refusal(
        "apply", delta.string, "--base", base, "-o", out.string, "--overwrite")
      #expect(refusal.contains("/config.json: was changed or damaged"))
    }
  }

  @Test func `a damaged adapter package is not read`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let package = directory.appending("package")
      try signed.run(
        "pack", TrustPaths.adapter, "--base", BundleTests.base.string, "-o", package.string)
      try spoil(package.appending("adapter_config.json"), "8", to: "9")
      let refusal = try signed.refusal(
        "run", BundleTests.base.string, "--adapter", package.string, "-p", "x", "-n", "1")
      #expect(refusal.contains("/adapter_config.json: was changed or damaged"))
    }
  }

  @Test func `a package becomes one file with its signature`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let (package, file) = (directory.appending("package").string, directory.appending("p.flare"))
      try signed.run("pack", TrustPaths.adapter, "--base", BundleTests.base.string, "-o", package)
      try signed.run("sign", package, "--key", signed.privateKey)
      let again = try FinishedProcess(
        "flare", ["pack", package, "--base", BundleTests.base.string, "-o", file.string])
      #expect(again.exitCode == 64 && again.errors.contains("Leave out --base"))
      try signed.run("pack", package, "-o", file.string)
      #expect(
        try signed.run("verify", file.string, "--key", signed.key).hasSuffix(", as required\n"))
    }
  }
}

private enum TrustPaths {
  static let adapter = BundleTests.base.removingLastComponent().appending("task-lora").string
}
