import Bundles
import Files
import SystemPackage
import TestSupport
import Testing

@testable import Registry
@testable import Store

/// What registries can claim of files that were fetched and have their digests.
struct InstallingTests {
  /// Tries to install files, given as their paths and sizes, that all have the bytes of one blob.
  private func install(
    _ files: [(path: String, byteCount: Int)], of text: String, into store: Store,
    requiring keys: [VerifyingKey] = []
  ) throws {
    let bytes = Array(text.utf8)
    let digest = ContentDigest(of: bytes)
    try store.partial.makeFolder()
    let fetched = store.partial.appending("sha256-\(digest.hexadecimal)")
    try fetched.overwrite(bytes)
    let descriptor = Descriptor(mediaType: "text/plain", digest: digest, byteCount: bytes.count)
    let artifact = PulledArtifact(
      manifest: ArtifactManifest(configuration: descriptor, layers: [descriptor]), digest: digest,
      configuration: ModelPackConfiguration(),
      files: files.map {
        PulledFile(
          entry: ArtifactEntry(
            path: $0.path, kind: .weight, digest: digest, byteCount: $0.byteCount),
          source: .fetched(fetched))
      })
    _ = try store.locked {
      try store.install(artifact, as: StoreName("registry.example/m:1"), requiring: keys, false)
    }
  }

  @Test func `a model without a manifest of a bundle is stored`() throws {
    try withStore { (store) throws in
      try install([("config.json", 2), ("copy/config.json", 2)], of: "{}", into: store)
      try store.verify(StoreName("registry.example/m:1"))
      #expect(try store.blobs.entryNames.count == 1)
    }
  }

  @Test(arguments: [
    (#"{"peft_type": "LORA", "r": 8, "rank_pattern": {"q": 16, "v": 4}}"#, "lora r4-16"),
    (#"{"peft_type": "LORA", "r": 8, "fuse_config": {}}"#, "flare r8"),
    (#"{"r": "8"}"#, nil),
  ])
  func `an adapter without a manifest is listed by its configuration`(
    _ configuration: String, _ type: String?
  ) throws {
    try withStore { (store) throws in
      try install(
        [("adapter_config.json", configuration.utf8.count)], of: configuration, into: store)
      let entry = try #require(try store.listing().entries.first)
      #expect(entry.kind == "adapter" && entry.type == type)
    }
  }

  @Test func `what is no bundle has no signature, and gets no name when one is required`() throws {
    try withStore { (store) throws in
      let error = #expect(throws: StoreError.self) {
        try install(
          [("config.json", 2)], of: "{}", into: store, requiring: [SigningKey().verifyingKey])
      }
      #expect(error?.description.contains("is no bundle, so it has no signature") == true)
      #expect(try store.listing().entries.isEmpty)
      #expect(try store.bundles.entryNames.isEmpty)
    }
  }

  @Test func `one digest with two sizes is refused`() throws {
    try withStore { (store) throws in
      let error = #expect(throws: StoreError.self) {
        try install([("config.json", 2), ("other.json", 200)], of: "{}", into: store)
      }
      #expect(error?.code == .notABundle)
      #expect(error?.description.contains("'other.json'") == true)
      #expect(try store.listing().entries.isEmpty)
    }
  }

  @Test func `files that are no model are refused`() throws {
    try withStore { (store) throws in
      let error = #expect(throws: StoreError.self) {
        try install([("notes.txt", 5)], of: "hello", into: store)
      }
      #expect(error?.code == .notABundle)
      #expect(try store.bundles.entryNames.isEmpty)
    }
  }
}
