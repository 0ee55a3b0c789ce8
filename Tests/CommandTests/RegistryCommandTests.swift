import Files
import Foundation
import JSON
import RegistrySupport
import SystemPackage
import TestSupport
import Testing

/// The command against the registry that people run, Debian's `docker-registry`.
@Suite(
  .enabled(
    if: RealRegistry.isHere, "docker-registry is not on the PATH; tools/setup --tests gets it"),
  .serialized)
struct RegistryCommandTests {
  /// A folder with a bundle `model`, and stores beside it.
  private struct Place {
    let folder: FilePath
    var variables: [String: String] = [:]

    func flare(_ arguments: [String], store: String = "store") throws -> FinishedProcess {
      // No credentials of whoever runs the tests.
      let own = ["FLARE_STORE": folder.appending(store).string, "DOCKER_CONFIG": folder.string]
      return try FinishedProcess(
        "flare", arguments, in: folder, environment: own.merging(variables) { $1 })
    }

    @discardableResult
    func output(_ arguments: String..., store: String = "store") throws -> String {
      let process = try flare(arguments, store: store)
      #expect(process.exitCode == 0, "\(process.errors)")
      return process.output
    }

    /// The digest of the weights.
    func weightsDigest() throws -> String {
      let manifest = try JSONValue(contentsOf: folder.appending("model").appending("manifest.json"))
      let file = manifest["files"]?.array?.first { $0["path"] == "model.safetensors" }
      return try #require(file?["sha256"]?.string)
    }
  }

  private func withPlace(_ body: (Place) async throws -> Void) async throws {
    try await withTemporaryDirectory { folder in
      let place = Place(folder: folder)
      try place.output("convert", BundleTests.base.string, "--quantize", "int4", "-o", "model")
      try await body(place)
    }
  }

  @Test func `a pushed bundle is pulled, and runs from the store with the same logits`()
    async throws
  {
    try await RealRegistry.with { registry in
      try await withPlace { place in
        let reference = "\(registry.host)/team/maya:int4"
        let pushed = try JSONValue(
          parsing: try place.output("push", "model", reference, "--plain-http", "--json"))
        // The tokenizer is sent as an archive.
        let sent = try #require(pushed["sent_bytes"]?.integer)
        let saved = try #require(pushed["saved_bytes"]?.integer)
        #expect(sent + saved == pushed["bytes"]?.integer && saved > 50_000)
        try place.output("pack", "model", "-o", "model.flare")
        // The single file is the same artifact, so nothing has to be sent.
        let again = try JSONValue(
          parsing: try place.output("push", "model.flare", reference, "--plain-http", "--json"))
        #expect(again["digest"] == pushed["digest"] && again["sent_bytes"] == 0)
        #expect(again["saved_bytes"] == 0)

        let pulled = try JSONValue(
          parsing: try place.output("pull", reference, "--plain-http", "--json"))
        #expect(pulled["fetched_bytes"] == pushed["sent_bytes"])
        #expect(pulled["bytes"] == pushed["bytes"] && pulled["digest"] == pushed["digest"])
        try place.output("verify", reference)
        for (model, file) in [("model", "a.safetensors"), (reference, "b.safetensors")] {
          try place.output("logits", model, "--tokens", "1,5,9,2", "-o", file)
        }
        #expect(
          try place.folder.appending("a.safetensors").readBytes()
            == place.folder.appending("b.safetensors").readBytes())

        // From the store to another tag, and from there to a directory without fetching again.
        let copy = "\(registry.host)/team/maya:copy"
        #expect(try place.output("push", reference, copy, "--plain-http").contains("0 bytes sent"))
        let text = try place.output("pull", copy, "-o", "out", "--plain-http")
        #expect(text.contains(": 0 bytes fetched"))
        for name in try place.folder.appending("model").entryNames {
          let copies = ["model", "out"].map { place.folder.appending($0).appending(name) }
          #expect(try copies[0].readBytes() == copies[1].readBytes(), "\(name)")
        }
        #expect(try place.folder.entryNames.allSatisfy { !$0.hasSuffix(".pull") })
      }
    }
  }

  @Test func `a bundle that is not signed as required gets no name`() async throws {
    try await RealRegistry.with { registry in
      try await withPlace { place in
        let reference = "\(registry.host)/team/maya:int4"
        for name in ["acme", "other"] { try place.output("keygen", "-o", name) }
        func pull(_ key: String, _ more: String...) throws -> FinishedProcess {
          try place.flare(
            ["pull", reference, "--plain-http", "--require-signature", "\(key).pub"] + more)
        }
        try place.output("push", "model", reference, "--plain-http")
        let unsigned = try pull("acme")
        #expect(unsigned.exitCode == 65)
        #expect(unsigned.errors.contains("\(reference): is not signed, expected a signature of"))
        try place.output("sign", "model", "--key", "acme.key")
        try place.output("push", "model", reference, "--plain-http")
        for more in [[], ["-o", "out"]] {
          let other = try place.flare(
            ["pull", reference, "--plain-http", "--require-signature", "other.pub"] + more)
          #expect(other.exitCode == 65 && other.errors.contains("is signed by ed25519:"))
        }
        #expect(try place.output("list").contains("is empty"))
        #expect(!place.folder.appending("out").exists)
        #expect(try pull("acme").exitCode == 0)
        #expect(try pull("acme", "-o", "out").exitCode == 0)
        #expect(place.folder.appending("out").appending("signature.json").exists)
        // A pull that is refused leaves the name to what it stood for.
        #expect(try pull("other").exitCode == 65)
        try place.output("verify", reference, "--key", "acme.pub")
      }
    }
  }

  @Test func `a pull that is killed half way goes on from there`() async throws {
    try await RealRegistry.with { registry in
      try await withPlace { place in
        let tag = "team/maya:int4"
        let pushed = try place.output("push", "model", "\(registry.host)/\(tag)", "--plain-http")
        #expect(pushed.contains(" saved by compression, 0 bytes were there\n"))
        let digest = try place.weightsDigest()
        let partial = place.folder.appending("store").appending("partial")
          .appending("sha256-\(digest)")
        let port = try #require(registry.host.split(separator: ":").last.flatMap { Int($0) })
        try await CuttingProxy.serving(port: port, cuts: [500_000], hangs: true) { proxy in
          let reference = "\(proxy.host)/\(tag)"
          let process = Process()
          process.executableURL = URL(
            filePath: FilePath(CommandLine.arguments[0]).removingLastComponent()
              .appending("flare").string)
          process.arguments = ["pull", reference, "--plain-http"]
          process.environment = ["FLARE_STORE": place.folder.appending("store").string]
          process.standardError = FileHandle.nullDevice
          try process.run()
          for _ in 0..<6000 where partial.fileByteCount ?? 0 < 200_000 {
            try await Task.sleep(for: .milliseconds(20))
          }
          kill(process.processIdentifier, SIGKILL)
          process.waitUntilExit()
          let whole = try #require(
            place.folder.appending("model").appending("model.safetensors").fileByteCount)
          let part = try #require(partial.fileByteCount)
          #expect((200_000..<whole).contains(part))
          #expect(try place.output("list").contains("is empty"))

          // The registry cannot give the beginning a second time: its copy has other bytes there.
          let storage = registry.blob(digest)
          let bytes = try storage.readBytes()
          try storage.overwrite([bytes[0] ^ 1] + bytes.dropFirst())
          try place.output("pull", reference, "--plain-http")
          try place.output("verify", reference)
          // Nothing but damaged bytes is left for who has no part.
          let other = try place.flare(["pull", reference, "--plain-http"], store: "empty")
          #expect(other.exitCode == 65 && other.errors.contains("other bytes"))
          #expect(try place.output("list", store: "empty").contains("is empty"))
        }
      }
    }
  }

  @Test func `a wrong password is refused and a right one is not`() async throws {
    try await RealRegistry.with(needsPassword: true) { registry in
      try await withPlace { place in
        var place = place
        let reference = "\(registry.host)/team/maya:int4"
        let push = ["push", "model", reference, "--plain-http"]
        #expect(try place.flare(push).exitCode == 69)
        place.variables = [
          "FLARE_REGISTRY_USER": RealRegistry.user, "FLARE_REGISTRY_PASSWORD": "wrong",
        ]
        let refused = try place.flare(push)
        #expect(refused.exitCode == 69)
        #expect(!refused.errors.contains("wrong"), "a password is not repeated")
        place.variables["FLARE_REGISTRY_PASSWORD"] = RealRegistry.password
        try place.output("push", "model", reference, "--plain-http")
        try place.output("pull", reference, "--plain-http")
      }
    }
  }

  @Test func `what is no reference is a mistake in the call`() async throws {
    try await withPlace { place in
      for arguments in [["pull", "maya"], ["push", "model", "maya"]] {
        let process = try place.flare(arguments)
        #expect(process.exitCode == 64, "\(arguments)")
        #expect(process.errors.contains("names no registry"))
      }
      let file = try place.flare(["pull", "localhost/m", "-o", "m.flare"])
      #expect(file.exitCode == 64 && file.errors.contains("'flare pack'"))
    }
  }
}
