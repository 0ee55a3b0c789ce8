import Files
import SystemPackage
import TestSupport
import Testing

/// `--require-signature` of the commands that make something of what they read.
struct RequiredSignatureTests {
  private static let adapter = BundleTests.base.removingLastComponent().appending("task-lora")

  /// Runs a command with each key, and expects that the signer's is enough and another's is not.
  private func check(
    _ signed: SignedBundle, _ arguments: [String], writes output: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let refused = try FinishedProcess(
      "flare", arguments + ["--require-signature", signed.otherKey])
    #expect(refused.exitCode == 65, "\(refused.errors)", sourceLocation: sourceLocation)
    #expect(
      refused.errors.contains(": is signed by ed25519:"), "\(refused.errors)",
      sourceLocation: sourceLocation)
    if let output { #expect(!FilePath(output).exists, sourceLocation: sourceLocation) }
    let trusted = try FinishedProcess("flare", arguments + ["--require-signature", signed.key])
    #expect(trusted.exitCode == 0, "\(trusted.errors)", sourceLocation: sourceLocation)
    if let output { #expect(FilePath(output).exists, sourceLocation: sourceLocation) }
  }

  /// What commands do with a model, without where they write.
  private static let works: [[String]] = [
    ["export", "MODEL", "--hf", "OUT"], ["convert", "MODEL", "-o", "OUT"],
    ["logits", "MODEL", "--tokens", "1,5", "-o", "OUT"],
    ["bench", "MODEL", "-p", "4", "-n", "1", "-r", "1"],
  ]

  @Test(arguments: works)
  func `a command takes a model of the required signer, and no other`(_ work: [String]) throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let output = directory.appending("out").string
      func arguments(_ model: String) -> [String] {
        work.map { $0 == "MODEL" ? model : $0 == "OUT" ? output : $0 }
      }
      let written = work.contains("OUT") ? output : nil
      try check(signed, arguments(signed.bundle), writes: written)
      FilePath(output).removeItem()
      try check(signed, arguments(signed.archive), writes: written)
      FilePath(output).removeItem()
      // Every byte counts, also of a weight, and also when the signature is right.
      try signed.damage()
      let key = ["--require-signature", signed.key]
      let damaged = try FinishedProcess("flare", arguments(signed.bundle) + key)
      #expect(damaged.exitCode == 65, "\(damaged.errors)")
      #expect(damaged.errors.contains("was changed or damaged"), "\(damaged.errors)")
      let plain = try FinishedProcess("flare", arguments(BundleTests.base.string) + key)
      #expect(plain.exitCode == 65)
      #expect(plain.errors.contains("is no bundle, so it has no signature, and one is required"))
      #expect(!FilePath(output).exists)
    }
  }

  @Test func `an adapter has to be signed as its model has`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let package = directory.appending("lora.flare").string
      let output = directory.appending("out").string
      let base = BundleTests.base.string
      try signed.run("pack", Self.adapter.string, "--base", base, "-o", package)
      let merge = ["merge", signed.bundle, "-o", output, "--adapter"]
      for adapter in [Self.adapter.string, package] {
        let unsigned = try FinishedProcess(
          "flare", merge + [adapter, "--require-signature", signed.key])
        #expect(unsigned.exitCode == 65)
        #expect(unsigned.errors.contains("\(adapter): is "), "\(unsigned.errors)")
        #expect(unsigned.errors.contains("sign"), "\(unsigned.errors)")
        #expect(!FilePath(output).exists)
      }
      try signed.run("sign", package, "--key", signed.privateKey)
      try check(signed, merge + [package], writes: output)
      FilePath(output).removeItem()
      try check(signed, ["convert", package, "-o", output], writes: output)
      let shape = ["bench", "--shape", "pico", "-p", "4", "-n", "1", "-r", "1"]
      let random = try FinishedProcess("flare", shape + ["--require-signature", signed.key])
      #expect(random.exitCode == 64 && random.errors.contains("random weights have none"))
    }
  }

  @Test func `a delta has to be signed and its base does not`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let (tuned, delta) = (directory.appending("tuned").string, directory.appending("d").string)
      let (base, output) = (BundleTests.base.string, directory.appending("out").string)
      try signed.run("merge", base, "--adapter", Self.adapter.string, "-o", tuned)
      try signed.run("pack", tuned, "--delta-from", base, "-o", delta)
      let apply = ["apply", delta, "--base", base, "-o", output]
      let unsigned = try FinishedProcess("flare", apply + ["--require-signature", signed.key])
      #expect(unsigned.exitCode == 65 && unsigned.errors.contains("is not signed, expected"))
      try signed.run("sign", delta, "--key", signed.privateKey)
      try check(signed, apply, writes: output)
    }
  }

  @Test func `what is reproduced has to be signed, as a bundle and as its manifest alone`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let output = directory.appending("out").string
      for manifest in [signed.bundle, signed.archive, "\(signed.bundle)/manifest.json"] {
        try check(
          signed, ["reproduce", manifest, "--model", BundleTests.base.string, "-o", output],
          writes: output)
        FilePath(output).removeItem()
      }
      // Away from its signatures, a manifest has none.
      let alone = directory.appending("alone.json")
      try alone.overwrite(FilePath(signed.bundle).appending("manifest.json").readBytes())
      let refused = try FinishedProcess(
        "flare",
        [
          "reproduce", alone.string, "--model", BundleTests.base.string, "-o", output,
          "--require-signature", signed.key,
        ])
      #expect(refused.exitCode == 65)
      #expect(refused.errors.contains("\(alone): is not signed, expected"), "\(refused.errors)")
    }
  }
}
