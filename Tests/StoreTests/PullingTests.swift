import Bundles
import Files
import Registry
import RegistrySupport
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// A store and the registry that people run, Debian's `docker-registry`.
@Suite(
  .enabled(
    if: RealRegistry.isHere, "docker-registry is not on the PATH; tools/setup --tests gets it"),
  .serialized)
struct PullingTests {
  /// Runs `body` with a registry, a client of it and an empty store.
  private func withRegistry(
    _ body: (RealRegistry, RegistryClient, Store) async throws -> Void
  ) async throws {
    try await RealRegistry.with { registry in
      try await withTemporaryDirectory { folder in
        try await RegistryClient.withClient(.test) { client in
          try await body(registry, client, Store(folder.appending("store")))
        }
      }
    }
  }

  private func push(
    _ model: SampleModel, to reference: RegistryReference, _ client: RegistryClient
  ) async throws -> ContentDigest {
    try await withTemporaryDirectory { folder in
      let bundle = folder.appending("bundle")
      try model.write(to: bundle)
      let files = try BundleFiles(bundle)
      return try await client.push(
        files.artifactFiles, configuration: files.configuration, to: reference
      ).digest
    }
  }

  @Test func `a pulled bundle has the files of the pushed one, and a second one shares`()
    async throws
  {
    try await withRegistry { registry, client, store in
      let weights = [Float](repeating: 2, count: 10_000)
      let (one, two) = (
        try RegistryReference("\(registry.host)/team/m:1"),
        try RegistryReference("\(registry.host)/team/m:2")
      )
      let model = SampleModel(values: weights, text: "[1]")
      let digest = try await push(model, to: one, client)
      _ = try await push(SampleModel(values: weights, text: "[2]"), to: two, client)
      let first = try await store.pull(one, with: client)
      #expect(first.record.artifact == digest)
      #expect(first.newByteCount == first.record.byteCount)
      let second = try await store.pull(two, with: client)
      #expect(second.newByteCount < 2_000)
      // The same bundle from a directory needs nothing more.
      #expect(try store.add(model, as: "mine").newByteCount == 0)
      #expect(try Bundle(store.directory(of: StoreName("mine"))).manifest.architecture == "llama")
      #expect(try store.partial.entryNames.isEmpty)
      // Nobody changes a blob by mistake.
      let blob = store.path(of: first.record.files[0].digest)
      #expect(try blob.stat().permissions == [.ownerRead, .groupRead, .otherRead])
    }
  }

  @Test func `a pull goes on with what an earlier one left`() async throws {
    try await withRegistry { registry, client, store in
      let reference = try RegistryReference("\(registry.host)/m:1")
      _ = try await push(
        SampleModel(values: [Float](repeating: 3, count: 50_000)), to: reference, client)
      let whole = try await store.pull(reference, with: client)
      let file = try #require(whole.record.files.first { $0.path == "model.safetensors" })
      let bytes = try store.path(of: file.digest).readBytes()
      store.path.removeItem()
      try store.partial.makeFolder()
      try store.partial.appending("sha256-\(file.digest.hexadecimal)").overwrite(
        Array(bytes[..<150_000]))
      let moved = Mutex(0)
      _ = try await store.pull(reference, with: client) { event in
        if case .started = event { moved.withLock { $0 = 0 } }
        if case .moved(let count) = event { moved.withLock { $0 += count } }
      }
      try store.verify(StoreName(reference))
      // The part that was there is told as moved, too; what counts is that all of it arrived.
      #expect(moved.withLock { $0 } == whole.record.byteCount)
    }
  }

  @Test func `files that contradict their manifest are refused and leave no name`() async throws {
    try await withRegistry { registry, client, store in
      let reference = try RegistryReference("\(registry.host)/m:1")
      try await withTemporaryDirectory { folder in
        let bundle = folder.appending("bundle")
        try SampleModel().write(to: bundle)
        let files = try BundleFiles(bundle)
        try bundle.appending("config.json").overwrite("[1]")
        _ = try await client.push(
          files.artifactFiles, configuration: files.configuration, to: reference)
        let error = await #expect(throws: StoreError.self) {
          try await store.pull(reference, with: client)
        }
        #expect(error?.code == .notABundle)
        #expect(error?.description.contains("'config.json'") == true)
        let more =
          files.artifactFiles + [
            ArtifactFile(path: "extra", source: bundle.appending("config.json"), kind: .code)
          ]
        try SampleModel().write(to: folder.appending("whole"))
        let whole =
          try BundleFiles(folder.appending("whole")).artifactFiles + [more[more.count - 1]]
        _ = try await client.push(whole, configuration: files.configuration, to: reference)
        let extra = await #expect(throws: StoreError.self) {
          try await store.pull(reference, with: client)
        }
        #expect(extra?.description.contains("'extra'") == true)
      }
      #expect(try store.listing().entries.isEmpty)
      #expect(try store.bundles.entryNames.isEmpty)
    }
  }

  @Test func `a damaged blob is found, and fetched again when that is asked for`() async throws {
    try await withRegistry { registry, client, store in
      let reference = try RegistryReference("\(registry.host)/m:1")
      let name = StoreName(reference)
      _ = try await push(SampleModel(), to: reference, client)
      let record = try await store.pull(reference, with: client).record
      try store.add(SampleModel(text: "[]"), as: "other")
      let file = try #require(record.files.first { $0.path == "model.safetensors" })
      let blob = store.path(of: file.digest)
      var bytes = try blob.readBytes()
      bytes[bytes.count - 1] ^= 1
      try #require(try makeWritable(blob))
      try blob.overwrite(bytes)
      let error = #expect(throws: StoreError.self) {
        try store.explainingRepair(of: name) { try store.verify(name) }
      }
      #expect(error?.code == .damaged)
      #expect(error?.repair == "'flare pull \(reference) --check' fetches it again")
      let repaired = try await store.pull(reference, with: client, checksPresent: true)
      #expect(repaired.newByteCount == file.byteCount)
      try store.verify(name)
      // The other bundle with the same weights has them again, too.
      try store.verify(StoreName("other"))
    }
  }

  private func makeWritable(_ path: FilePath) throws -> Bool {
    try FinishedProcess("/bin/chmod", ["u+w", path.string]).exitCode == 0
  }

  @Test func `a tag that was moved brings the other bundle, and says so`() async throws {
    try await withRegistry { registry, client, store in
      let reference = try RegistryReference("\(registry.host)/m:1")
      _ = try await push(SampleModel(text: "[1]"), to: reference, client)
      #expect(try await !store.pull(reference, with: client).replaced)
      #expect(try await !store.pull(reference, with: client).replaced)
      _ = try await push(SampleModel(text: "[2]"), to: reference, client)
      #expect(try await store.pull(reference, with: client).replaced)
      let note = try store.directory(of: StoreName(reference)).pushing("texts/note.json")
      #expect(try note.readText() == "[2]")
      #expect(try store.collect().blobCount > 0)
    }
  }

  @Test func `a second pull waits for the first`() async throws {
    try await withRegistry { registry, client, store in
      let reference = try RegistryReference("\(registry.host)/m:1")
      _ = try await push(SampleModel(), to: reference, client)
      try store.path.makeFolder()
      var lock = try StoreLock(store.pullLockPath, waits: false)
      #expect(lock != nil)
      var hasWaited = false
      _ = try await store.pull(
        reference, with: client,
        waiting: {
          hasWaited = true
          lock = nil
        })
      #expect(hasWaited)
    }
  }
}
