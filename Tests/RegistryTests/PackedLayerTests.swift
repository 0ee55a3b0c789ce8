import Archives
import Files
import NIOHTTP1
import RegistrySupport
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// Whole artifacts some of whose layers are archives, with a registry in memory.
struct PackedLayerTests {
  static let tokenizer = SampleBytes.text(byteCount: 200_000)

  /// A model in `folder`, whose tokenizer is worth an archive.
  static func files(in folder: FilePath) throws -> [ArtifactFile] {
    let contents: [(String, LayerKind, [UInt8])] = [
      ("model.safetensors", .weight, sampleBytes(50_000)),
      ("text/tokenizer.json", .weightConfiguration, tokenizer),
      ("config.json", .weightConfiguration, Array("{}".utf8)),
    ]
    return try contents.enumerated().map { index, file in
      let source = folder.appending("source-\(index)")
      try source.overwrite(file.2)
      return ArtifactFile(path: file.0, source: source, kind: file.1)
    }
  }

  /// Runs `body` with an artifact of these files under the tag `v1`.
  private func withArtifact(
    _ body: (RegistryClient, PushedArtifact, RegistryReference, StubRegistry, FilePath, StubServer)
      async throws -> Void
  ) async throws {
    let registry = StubRegistry()
    try await StubServer.serving(registry.answer) { stub in
      try await withTemporaryDirectory { folder in
        try await RegistryClient.withClient(.test) { client in
          let reference = try RegistryReference("\(stub.host)/m:v1")
          let pushed = try await client.push(
            Self.files(in: folder), configuration: ArtifactTests.configuration, to: reference)
          try await body(client, pushed, reference, registry, folder, stub)
        }
      }
    }
  }

  /// The bytes of the artifact's files, pulled and placed.
  private func pulled(
    _ reference: RegistryReference, _ client: RegistryClient, in folder: FilePath,
    have: @Sendable (ContentDigest) -> FilePath? = { _ in nil }, progress: TransferProgress? = nil
  ) async throws -> (artifact: PulledArtifact, files: [String: [UInt8]]) {
    try await withTemporaryDirectory { place in
      let artifact = try await client.pull(
        reference, into: BlobDirectory(folder.appending("blobs")), have: have, progress: progress)
      let directory = try NewDirectory(place.appending("out"))
      try artifact.place(in: directory)
      try directory.commit()
      var files: [String: [UInt8]] = [:]
      for file in artifact.files {
        files[file.entry.path] =
          try place.appending("out").pushing(FilePath(file.entry.path)).readBytes()
      }
      return (artifact, files)
    }
  }

  @Test func `what is packed for the way comes back as it was`() async throws {
    try await withArtifact { client, pushed, reference, registry, folder, _ in
      let packed = pushed.manifest.layers[1]
      #expect(packed.mediaType.hasSuffix(".tar+zstd"))
      #expect(pushed.sentByteCount == 50_002 + packed.byteCount)
      #expect(pushed.sentByteCount + pushed.savedByteCount == 250_002)
      #expect(pushed.savedByteCount > 20_000)
      let configuration = try #require(
        registry.blobs[pushed.manifest.configuration.digest.description])
      // OCI wants the digest of what is compressed, which is neither the file's nor the blob's.
      let text = String(decoding: configuration, as: UTF8.self)
      #expect(!text.contains(packed.digest.hexadecimal))
      #expect(!text.contains(ContentDigest(of: Self.tokenizer).hexadecimal))
      #expect(text.contains(pushed.manifest.layers[0].digest.hexadecimal))

      let log = EventLog()
      let (artifact, files) = try await pulled(
        reference, client, in: folder, progress: log.progress)
      #expect(files["text/tokenizer.json"] == Self.tokenizer)
      #expect(artifact.files[1].entry.digest == ContentDigest(of: Self.tokenizer))
      #expect(artifact.files[1].entry.byteCount == 200_000)
      #expect(artifact.fetchedByteCount == pushed.sentByteCount)
      #expect(log.movedByteCount == pushed.sentByteCount)
      artifact.removeSpent()
      #expect(try folder.appending("blobs").entryNames.isEmpty, "nothing is left behind")
    }
  }

  @Test func `a second push packs the same bytes and sends none of them`() async throws {
    try await withArtifact { client, pushed, reference, _, folder, stub in
      let before = stub.requests.count
      let log = EventLog()
      let again = try await client.push(
        Self.files(in: folder), configuration: ArtifactTests.configuration,
        to: RegistryReference("\(reference.place):v2"), progress: log.progress)
      #expect(again.digest == pushed.digest)
      #expect(again.sentByteCount == 0 && again.savedByteCount == 0)
      #expect(log.skippedByteCount == pushed.sentByteCount)
      let methods = stub.requests[before...].map(\.method)
      #expect(methods.filter { $0 == .HEAD }.count == 4 && !methods.contains(.POST))
    }
  }

  @Test func `a file that the caller has is not fetched as an archive`() async throws {
    try await withArtifact { client, pushed, reference, _, folder, stub in
      let own = folder.appending("source-1")
      let digest = ContentDigest(of: Self.tokenizer)
      let before = stub.requests.count
      let (artifact, files) = try await pulled(
        reference, client, in: folder, have: { $0 == digest ? own : nil })
      #expect(files["text/tokenizer.json"] == Self.tokenizer)
      #expect(artifact.fetchedByteCount == 50_002)
      let layer = pushed.manifest.layers[1].digest.description
      #expect(!stub.requests[before...].contains { $0.path.hasSuffix(layer) })
    }
  }

  @Test func `two layers with one file are fetched once`() async throws {
    try await withArtifact { client, _, _, _, folder, stub in
      let source = folder.appending("source-1")
      let files = ["a.json", "b/a.json"].map {
        ArtifactFile(path: $0, source: source, kind: .weightConfiguration)
      }
      let reference = try RegistryReference("\(stub.host)/m:two")
      let pushed = try await client.push(
        files, configuration: ArtifactTests.configuration, to: reference)
      #expect(pushed.manifest.layers[0].digest != pushed.manifest.layers[1].digest)
      let (artifact, placed) = try await pulled(reference, client, in: folder)
      #expect(placed == ["a.json": Self.tokenizer, "b/a.json": Self.tokenizer])
      #expect(artifact.fetchedByteCount == pushed.manifest.layers[0].byteCount)
    }
  }

  @Test func `a pull goes on with part of an archive`() async throws {
    try await withArtifact { client, pushed, reference, registry, folder, stub in
      let layer = pushed.manifest.layers[1]
      let bytes = try #require(registry.blobs[layer.digest.description])
      let blobs = try BlobDirectory(folder.appending("blobs"))
      try blobs.path(of: layer.digest).overwrite(Array(bytes[..<10_000]))
      let before = stub.requests.count
      _ = try await pulled(reference, client, in: folder)
      let request = stub.requests[before...].first { $0.path.hasSuffix(layer.digest.description) }
      #expect(request?.headers.first(name: "Range") == "bytes=10000-")
    }
  }

  @Test func `a pull that was killed behind the unpacking fetches and unpacks nothing again`()
    async throws
  {
    try await withArtifact { client, pushed, reference, _, folder, stub in
      let blobs = try BlobDirectory(folder.appending("blobs"))
      let unpacked = blobs.path(of: ContentDigest(of: Self.tokenizer))
      try unpacked.overwrite(Self.tokenizer)
      let layer = pushed.manifest.layers[1].digest.description
      var before = stub.requests.count
      _ = try await pulled(reference, client, in: folder)
      #expect(!stub.requests[before...].contains { $0.path.hasSuffix(layer) })

      // What a crash left there is believed by its digest alone.
      try unpacked.overwrite(Array(Self.tokenizer.dropLast()) + [0])
      before = stub.requests.count
      let (_, files) = try await pulled(reference, client, in: folder)
      #expect(files["text/tokenizer.json"] == Self.tokenizer)
      #expect(stub.requests[before...].contains { $0.path.hasSuffix(layer) })
    }
  }

  @Test func `the archive of another program is pulled without a digest of the file`() async throws
  {
    try await withArtifact { client, pushed, reference, registry, folder, _ in
      let blob = try Vectors.path("layers/folders.tar.zst").readBytes()
      var manifest = pushed.manifest
      manifest.layers[1] = Descriptor(
        mediaType: "application/vnd.cnai.model.doc.v1.tar+zstd", digest: ContentDigest(of: blob),
        byteCount: blob.count, annotations: ["org.cnai.model.filepath": "texts/note.txt"])
      registry.state.withLock {
        $0.blobs["\(manifest.layers[1].digest)"] = blob
        $0.manifests["v1"] = Array(manifest.text.utf8)
      }
      let (artifact, files) = try await pulled(reference, client, in: folder)
      #expect(files["texts/note.txt"] == LayerArchiveTests.vectorContents)
      let entry = artifact.files[1].entry
      #expect(entry.digest == ContentDigest(of: LayerArchiveTests.vectorContents))
      #expect(entry.byteCount == LayerArchiveTests.vectorContents.count)
    }
  }

  @Test func `an archive is not opened before its digest is right`() async throws {
    try await withArtifact { client, pushed, reference, registry, folder, _ in
      let layer = pushed.manifest.layers[1].digest
      registry.state.withLock { $0.blobs["\(layer)"]?[1000] ^= 1 }
      let error = await #expect(throws: RegistryError.self) {
        try await client.pull(reference, into: BlobDirectory(folder.appending("blobs")))
      }
      #expect(error?.code == .digestMismatch)
      #expect(error?.subject == "\(reference.place)@\(layer)")
    }
  }

  @Test func `a digest that the layer claims for another file is a lie that is found`() async throws
  {
    try await withArtifact { client, pushed, reference, registry, folder, _ in
      let claimed = ContentDigest(of: Array("another".utf8))
      var manifest = pushed.manifest
      manifest.layers[1].annotations[ModelPack.fileDigestKey] = claimed.description
      registry.state.withLock { $0.manifests["v1"] = Array(manifest.text.utf8) }
      let blobs = try BlobDirectory(folder.appending("blobs"))
      let error = await #expect(throws: RegistryError.self) {
        try await client.pull(reference, into: blobs)
      }
      #expect(error?.code == .digestMismatch)
      #expect(
        error?.description
          == "\(reference.place)@\(manifest.layers[1].digest), the archive of "
          + "'text/tokenizer.json': its file has the digest \(ContentDigest(of: Self.tokenizer)), "
          + "the layer says \(claimed)")
      #expect(!blobs.path(of: claimed).exists)
    }
  }

  @Test func `an archive whose file cannot fit is not even fetched`() async throws {
    try await withArtifact { client, pushed, reference, registry, folder, stub in
      var manifest = pushed.manifest
      manifest.layers[1].annotations[ModelPack.fileMetadataKey] = "{\"size\":\(1 << 60)}"
      registry.state.withLock { $0.manifests["v1"] = Array(manifest.text.utf8) }
      let before = stub.requests.count
      let error = await #expect(throws: FileError.self) {
        try await client.pull(reference, into: BlobDirectory(folder.appending("blobs")))
      }
      #expect(error?.code == .noSpace)
      // The manifest and the configuration.
      #expect(stub.requests.count == before + 2)
    }
  }
}
