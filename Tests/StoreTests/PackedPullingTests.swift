import Bundles
import Files
import RegistrySupport
import SystemPackage
import TestSupport
import Testing

@testable import Registry
@testable import Store

/// A store and artifacts in which a text of some length is an archive.
@Suite(
  .enabled(
    if: RealRegistry.isHere, "docker-registry is not on the PATH; tools/setup --tests gets it"),
  .serialized)
struct PackedPullingTests {
  /// A text that is worth an archive.
  private static let text =
    "[\(String(decoding: SampleBytes.text(byteCount: 100_000), as: UTF8.self))]"
  private static let textDigest = ContentDigest(of: Array(text.utf8))

  /// Runs `body` with a registry, a client of it, an empty store and what pushes a model with the text
  /// and other weights each time.
  private func withRegistry(
    _ body: (
      RealRegistry, RegistryClient, Store,
      (_ weight: Float) async throws -> (RegistryReference, PushedArtifact)
    ) async throws -> Void
  ) async throws {
    try await RealRegistry.with { registry in
      try await withTemporaryDirectory { folder in
        try await RegistryClient.withClient(.test) { client in
          try await body(registry, client, Store(folder.appending("store"))) { weight in
            let bundle = folder.appending("bundle-\(weight)")
            try SampleModel(values: [weight], text: Self.text).write(to: bundle)
            let files = try BundleFiles(bundle)
            let reference = try RegistryReference("\(registry.host)/m:v\(weight)")
            return (
              reference,
              try await client.push(
                files.artifactFiles, configuration: files.configuration, to: reference)
            )
          }
        }
      }
    }
  }

  private func archive(in artifact: PushedArtifact) throws -> Descriptor {
    try #require(artifact.manifest.layers.first { $0.mediaType.hasSuffix(".tar+zstd") })
  }

  @Test func `a file from an archive is stored by its own digest, and shared by it`() async throws {
    try await withRegistry { registry, client, store, push in
      let (one, pushed) = try await push(1)
      let first = try await store.pull(one, with: client)
      #expect(first.newByteCount == first.record.byteCount)
      #expect(first.fetchedByteCount == pushed.sentByteCount)
      #expect(first.fetchedByteCount < first.newByteCount - 20_000)
      let file = try #require(first.record.files.first { $0.path == "texts/note.json" })
      #expect(file == StoredFile(path: file.path, digest: Self.textDigest, byteCount: 100_002))
      let blob = try #require(store.blob(Self.textDigest))
      #expect(try blob.readText() == Self.text)
      #expect(try blob.stat().permissions == [.ownerRead, .groupRead, .otherRead])
      #expect(try store.partial.entryNames.isEmpty)
      try store.verify(StoreName(one))

      // The same model from a directory brings nothing new, and one with other weights has no need of
      // the archive, which the registry does not have any more.
      #expect(try store.add(SampleModel(values: [1], text: Self.text), as: "own").newByteCount == 0)
      let (two, other) = try await push(2)
      #expect(try archive(in: other) == archive(in: pushed))
      registry.blob(try archive(in: pushed).digest.hexadecimal).removeItem()
      let second = try await store.pull(two, with: client)
      #expect(second.newByteCount < 2_000 && second.fetchedByteCount == second.newByteCount)
      try store.verify(StoreName(two))
    }
  }

  @Test func `a damaged file from an archive is found, and fetched and unpacked again`()
    async throws
  {
    try await withRegistry { _, client, store, push in
      let (reference, _) = try await push(1)
      let record = try await store.pull(reference, with: client).record
      try store.add(SampleModel(values: [7], text: Self.text), as: "other")
      let blob = try #require(store.blob(Self.textDigest))
      try #require(try FinishedProcess("/bin/chmod", ["u+w", blob.string]).exitCode == 0)
      try blob.overwrite(Self.text.replacing("1", with: "2"))
      #expect(throws: StoreError.self) { try store.verify(StoreName(reference)) }
      #expect(try await store.pull(reference, with: client).newByteCount == 0)
      let repaired = try await store.pull(reference, with: client, checksPresent: true)
      #expect(repaired.newByteCount == 100_002 && repaired.record == record)
      for name in [StoreName(reference), try StoreName("other")] { try store.verify(name) }
      #expect(try store.partial.entryNames.isEmpty)
    }
  }

  @Test
  func `a file that a running pull counts on is not collected, though its layer is an archive`()
    async throws
  {
    try await withRegistry { _, client, store, push in
      try store.add(SampleModel(values: [9], text: Self.text), as: "old")
      try store.remove(StoreName("old"))
      let (reference, _) = try await push(1)
      let stored = try await store.pull(reference, with: client) { event in
        guard case .started = event else { return }
        // The text stays, and the manifest and the weights of what was removed go.
        #expect((try? store.collect().blobCount) ?? 0 >= 2)
      }
      #expect(stored.newByteCount < 2_000)
      try store.verify(StoreName(reference))
      #expect(try store.collect().partialCount == 0)
    }
  }

  @Test func `a pull that ended behind the unpacking goes on without the archive`() async throws {
    try await withRegistry { registry, client, store, push in
      let (reference, pushed) = try await push(1)
      try store.partial.makeFolder()
      try store.partial.appending("sha256-\(Self.textDigest.hexadecimal)").overwrite(Self.text)
      registry.blob(try archive(in: pushed).digest.hexadecimal).removeItem()
      _ = try await store.pull(reference, with: client)
      try store.verify(StoreName(reference))
    }
  }
}

/// What an archive turns out to hold.
struct UnannouncedFileTests {
  @Test func `a file that the store has already stays, with the links to it`() throws {
    try withStore { store in
      try store.add(SampleModel(text: "[5]"), as: "a")
      let bytes = Array("{}".utf8)
      let digest = ContentDigest(of: bytes)
      let blob = try #require(store.blob(digest))
      let inode = try blob.stat().inode
      let fetched = store.partial.appending("sha256-\(digest.hexadecimal)")
      try fetched.overwrite(bytes)
      let layer = Descriptor(
        mediaType: "text/plain", digest: ContentDigest(of: [1]), byteCount: 1)
      let artifact = PulledArtifact(
        manifest: ArtifactManifest(configuration: layer, layers: [layer]), digest: layer.digest,
        configuration: ModelPackConfiguration(),
        files: [
          PulledFile(
            entry: ArtifactEntry(
              path: "config.json", kind: .code, digest: digest, byteCount: bytes.count),
            source: .fetched(fetched))
        ])
      let stored = try store.locked {
        try store.install(artifact, as: StoreName("registry.example/m:1"), false)
      }
      #expect(stored.newByteCount == 0)
      #expect(try blob.stat().inode == inode && !fetched.exists)
      try store.verify(StoreName("a"))
    }
  }
}
