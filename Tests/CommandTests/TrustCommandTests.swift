import Files
import JSON
import SystemPackage
import TestSupport
import Testing

/// Signing, and models that run only when they are whole and signed.
struct TrustCommandTests {
  @Test func `a signed model runs for who asks for its signer, and for no other`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      let prompt = ["-p", "Q: Where", "-n", "2"]
      for model in [signed.bundle, signed.archive] {
        let plain = try signed.run("run", model, prompt[0], prompt[1], prompt[2], prompt[3])
        let trusted = try signed.run(
          "run", model, prompt[0], prompt[1], prompt[2], prompt[3], "--require-signature",
          signed.otherKey, "--require-signature", signed.key)
        #expect(plain == trusted)
        let refused = try signed.refusal(
          "run", model, "-p", "x", "-n", "1", "--require-signature", signed.otherKey)
        #expect(refused.contains("\(model): is signed by ed25519:"))
        #expect(try signed.refusal("verify", model, "--key", signed.otherKey).contains("expected"))
        let verified = try signed.run("verify", model, "--key", signed.key)
        #expect(verified.hasSuffix(", as required\n"))
        #expect(try signed.run("verify", model).contains("pass --key to check it"))
        let document = try JSONValue(
          parsing: try signed.run("verify", model, "--key", signed.key, "--json"))
        #expect(document["signers"]?.array?.first?["expected"] == true)
      }
      let out = directory.appending("out").string
      _ = try signed.refusal(
        "unpack", signed.archive, "-o", out, "--require-signature", signed.otherKey)
      #expect(!FilePath(out).exists)
      try signed.run("unpack", signed.archive, "-o", out, "--require-signature", signed.key)
      #expect(FilePath(out).appending("signature.json").exists)
      // The model that a bundle was made from has no signature at all.
      let base = try signed.refusal(
        "run", BundleTests.base.string, "-p", "x", "--require-signature", signed.key)
      #expect(base.contains("is no bundle, so it has no signature, and one is required"))
    }
  }

  @Test func `a model with a damaged weight runs unless it is to be verified`() throws {
    try withTemporaryDirectory { directory in
      let signed = try SignedBundle(in: directory)
      try signed.run("run", signed.bundle, "-p", "x", "-n", "1", "--verify")
      try signed.damage()
      try signed.run("run", signed.bundle, "-p", "x", "-n", "1")
      let place = "\(signed.bundle)/model.safetensors: was changed or damaged in bytes "
      for refusal in [
        try signed.refusal("run", signed.bundle, "-p", "x", "-n", "200", "--verify"),
        try signed.refusal(
          "run", signed.bundle, "-p", "x", "-n", "200", "--require-signature", signed.key),
        try signed.refusal(
          "convert", signed.bundle, "-o", directory.appending("out").string,
          "--require-signature", signed.key),
        try signed.refusal("verify", signed.bundle),
      ] {
        #expect(refusal.hasPrefix("flare: \(place)") && refusal.contains("of tensor 'model."))
      }
      #expect(!directory.appending("out").exists)
    }
  }

  @Test func `keys are never overwritten`() throws {
    try withTemporaryDirectory { directory in
      let name = directory.appending("acme").string
      #expect(try FinishedProcess("flare", ["keygen", "-o", name]).exitCode == 0)
      let key = try FilePath(name + ".key").readBytes()
      #expect(try FinishedProcess("flare", ["keygen", "-o", name]).exitCode == 73)
      FilePath(name + ".pub").removeItem()
      #expect(try FinishedProcess("flare", ["keygen", "-o", name]).exitCode == 73)
      #expect(try FilePath(name + ".key").readBytes() == key)
      #expect(try directory.entryNames == ["acme.key"])
    }
  }

  @Test func `what has no hashes cannot be verified`() throws {
    let process = try FinishedProcess(
      "flare", ["run", BundleTests.base.string, "-p", "x", "-n", "1", "--verify"])
    #expect(process.exitCode == 64)
    #expect(process.errors.contains("which has no hashes"))
  }
}
