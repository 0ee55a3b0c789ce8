import Files
import NIOHTTP1
import RegistrySupport
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// Whole artifacts, with a registry in memory.
struct ArtifactTests {
  /// Files of an artifact in `folder`: two of them have the same bytes, one has none.
  static func files(in folder: FilePath) throws -> [ArtifactFile] {
    let contents: [(String, LayerKind, [UInt8])] = [
      ("model.safetensors", .weight, sampleBytes(50_000)),
      ("config.json", .weightConfiguration, Array("{}".utf8)),
      ("adapters/a/config.json", .weightConfiguration, Array("{}".utf8)),
      ("README.md", .documentation, []),
    ]
    return try contents.enumerated().map { index, file in
      let source = folder.appending("source-\(index)")
      try source.overwrite(file.2)
      return ArtifactFile(path: file.0, source: source, kind: file.1)
    }
  }

  static var configuration: ModelPackConfiguration {
    var configuration = ModelPackConfiguration()
    configuration.name = "sample"
    configuration.format = "safetensors"
    return configuration
  }

  private func withArtifact(
    _ body: (RegistryClient, RegistryReference, StubRegistry, FilePath, StubServer) async throws ->
      Void
  ) async throws {
    let registry = StubRegistry()
    try await StubServer.serving(registry.answer) { stub in
      try await withTemporaryDirectory { folder in
        try await RegistryClient.withClient(.test) { client in
          let reference = try RegistryReference("\(stub.host)/m:v1")
          _ = try await client.push(
            Self.files(in: folder), configuration: Self.configuration, annotations: ["k": "v"],
            to: reference)
          try await body(client, reference, registry, folder, stub)
        }
      }
    }
  }

  @Test func `what is pushed is pulled, file by file`() async throws {
    try await withArtifact { client, reference, _, folder, _ in
      let blobs = try BlobDirectory(folder.appending("blobs"))
      let log = EventLog()
      let artifact = try await client.pull(reference, into: blobs, progress: log.progress)
      #expect(artifact.configuration == Self.configuration)
      #expect(artifact.manifest.annotations == ["k": "v"])
      #expect(log.movedByteCount + log.skippedByteCount == 50_004)

      let directory = try NewDirectory(folder.appending("out"))
      try artifact.place(in: directory)
      try directory.commit()
      for file in try Self.files(in: folder) {
        let placed = folder.appending("out").pushing(FilePath(file.path))
        #expect(try placed.readBytes() == file.source.readBytes(), "\(file.path)")
      }
      #expect(
        try folder.appending("out").entryNames
          == ["README.md", "adapters", "config.json", "model.safetensors"])
      blobs.remove()
      #expect(!folder.appending("blobs").exists)
    }
  }

  @Test func `the same files give the same artifact, and nothing is sent twice`() async throws {
    try await withArtifact { client, reference, registry, folder, stub in
      let before = stub.requests.count
      let (manifest, digest) = try await client.fetchManifest(reference)
      let log = EventLog()
      let again = try await client.push(
        Self.files(in: folder), configuration: Self.configuration, annotations: ["k": "v"],
        to: RegistryReference("\(reference.place):v2"), progress: log.progress)
      #expect(again.digest == digest && again.manifest == manifest)
      #expect(again.sentByteCount == 0)
      #expect(log.skippedByteCount == 50_004)
      #expect(!stub.requests[before...].contains { $0.method == .POST || $0.method == .PATCH })
      // Three different files and the configuration.
      #expect(registry.blobs.count == 4)
    }
  }

  @Test func `files that the caller has are not fetched, and are hashed when placed`() async throws
  {
    try await withArtifact { client, reference, _, folder, stub in
      let own = folder.appending("source-0")
      let digest = try ContentDigest(of: own)
      let before = stub.requests.count
      let artifact = try await client.pull(
        reference, into: BlobDirectory(folder.appending("blobs")),
        have: { $0 == digest ? own : nil })
      #expect(!stub.requests[before...].contains { $0.path.hasSuffix(digest.description) })

      let good = try NewDirectory(folder.appending("good"))
      try artifact.place(in: good)
      #expect(own.exists)

      try own.overwrite(sampleBytes(50_000, seed: 2))
      let error = #expect(throws: RegistryError.self) {
        try artifact.place(in: NewDirectory(folder.appending("bad")))
      }
      #expect(error?.code == .digestMismatch)
      #expect(error?.subject == own.string)
      #expect(!folder.appending("bad").exists)
    }
  }

  @Test func `a file of another size is not taken for the one that is missing`() async throws {
    try await withArtifact { client, reference, _, folder, _ in
      let other = folder.appending("other")
      try other.overwrite("short")
      let artifact = try await client.pull(
        reference, into: BlobDirectory(folder.appending("blobs")), have: { _ in other })
      #expect(artifact.files.allSatisfy { if case .fetched = $0.source { true } else { false } })
    }
  }

  @Test func `an artifact is pulled by its digest, and no other one`() async throws {
    try await withArtifact { client, reference, registry, folder, _ in
      let (manifest, digest) = try await client.fetchManifest(reference)
      let pinned = reference.pinned(to: digest)
      registry.state.withLock { $0.manifests[digest.description] = Array(manifest.text.utf8) }
      #expect(try await client.fetchManifest(pinned).digest == digest)

      registry.state.withLock { $0.manifests[digest.description]?.append(UInt8(ascii: "\n")) }
      let error = await #expect(throws: RegistryError.self) {
        try await client.fetchManifest(pinned)
      }
      #expect(error?.code == .digestMismatch)
    }
  }

  @Test func `a push to a digest that the files do not have sends nothing`() async throws {
    try await withArtifact { client, reference, _, folder, stub in
      let before = stub.requests.count
      let error = await #expect(throws: RegistryError.self) {
        try await client.push(
          Self.files(in: folder), configuration: Self.configuration,
          to: reference.pinned(to: ContentDigest(of: [])))
      }
      #expect(error?.code == .digestMismatch)
      #expect(stub.requests.count == before)
    }
  }

  @Test(arguments: [[], ["../a"], ["a", "a"], ["a", "a/b"]])
  func `files that cannot be an artifact are not pushed`(paths: [String]) async throws {
    try await withArtifact { client, reference, _, folder, stub in
      let before = stub.requests.count
      let files = paths.map {
        ArtifactFile(path: $0, source: folder.appending("source-1"), kind: .weight)
      }
      let error = await #expect(throws: RegistryError.self) {
        try await client.push(files, configuration: Self.configuration, to: reference)
      }
      #expect(error?.code == .unusableFiles)
      #expect(stub.requests.count == before)
    }
  }

  @Test func `a manifest that is too long is not read to its end`() async throws {
    try await withArtifact { client, reference, registry, _, _ in
      registry.state.withLock { $0.manifests["v1"] = Array(repeating: 0x20, count: 5 << 20) }
      let error = await #expect(throws: RegistryError.self) {
        try await client.fetchManifest(reference)
      }
      #expect(error?.code == .tooLarge)
    }
  }

  @Test func `a hostile path is refused before anything is fetched`() async throws {
    try await withArtifact { client, reference, registry, folder, stub in
      let (manifest, _) = try await client.fetchManifest(reference)
      let text = manifest.text.replacing("README.md", with: "../evil")
      registry.state.withLock { $0.manifests["v1"] = Array(text.utf8) }
      let before = stub.requests.count
      let error = await #expect(throws: RegistryError.self) {
        try await client.pull(reference, into: BlobDirectory(folder.appending("blobs")))
      }
      #expect(error?.code == .unusableFiles)
      #expect(stub.requests.count == before + 1)
    }
  }
}
