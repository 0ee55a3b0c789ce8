import Files
import Foundation
import RegistrySupport
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// The same against the registry that people run, Debian's `docker-registry`.
@Suite(
  .enabled(
    if: RealRegistry.isHere, "docker-registry is not on the PATH; tools/setup --tests gets it"),
  .serialized)
struct RealRegistryTests {
  private var configuration: RegistryClient.Configuration {
    var configuration = RegistryClient.Configuration.test
    configuration.wholeBlobByteCount = 100_000
    configuration.chunkByteCount = 300_000
    return configuration
  }

  /// Files like those of `ArtifactTests`, with weights that go out in several parts.
  private func files(in folder: FilePath) throws -> [ArtifactFile] {
    let files = try ArtifactTests.files(in: folder)
    try files[0].source.overwrite(sampleBytes(1_000_000))
    return files
  }

  @Test func `an artifact goes there and comes back`() async throws {
    try await RealRegistry.with { registry in
      try await withTemporaryDirectory { folder in
        let files = try files(in: folder)
        try await RegistryClient.withClient(configuration) { client in
          try await client.ping(registry.host)
          let reference = try RegistryReference("\(registry.host)/team/model:v1")
          let log = EventLog()
          let pushed = try await client.push(
            files, configuration: ArtifactTests.configuration, to: reference,
            progress: log.progress)
          // Two files are the same blob.
          #expect(pushed.sentByteCount == 1_000_002)
          #expect(log.retries.isEmpty)

          let blobs = try BlobDirectory(folder.appending("blobs"))
          let artifact = try await client.pull(reference.pinned(to: pushed.digest), into: blobs)
          #expect(artifact.manifest == pushed.manifest)
          #expect(artifact.configuration == ArtifactTests.configuration)
          let directory = try NewDirectory(folder.appending("out"))
          try artifact.place(in: directory)
          try directory.commit()
          for file in files {
            let placed = folder.appending("out").pushing(FilePath(file.path))
            #expect(try placed.readBytes() == file.source.readBytes(), "\(file.path)")
          }
        }
      }
    }
  }

  @Test func `a second push sends nothing, a changed file sends itself`() async throws {
    try await RealRegistry.with { registry in
      try await withTemporaryDirectory { folder in
        let files = try files(in: folder)
        try await RegistryClient.withClient(configuration) { client in
          let reference = try RegistryReference("\(registry.host)/team/model:v1")
          let first = try await client.push(
            files, configuration: ArtifactTests.configuration, to: reference)
          let second = try await client.push(
            files, configuration: ArtifactTests.configuration,
            to: RegistryReference("\(registry.host)/team/model:v2"))
          #expect(second.digest == first.digest)
          #expect(second.sentByteCount == 0)

          try files[3].source.overwrite("new words")
          let third = try await client.push(
            files, configuration: ArtifactTests.configuration, to: reference)
          #expect(third.digest != first.digest)
          #expect(third.sentByteCount == 9)
        }
      }
    }
  }

  @Test func `a pull that broke off goes on in the middle of a blob`() async throws {
    try await RealRegistry.with { registry in
      try await withTemporaryDirectory { folder in
        let files = try files(in: folder)
        try await RegistryClient.withClient(configuration) { client in
          let reference = try RegistryReference("\(registry.host)/team/model:v1")
          let pushed = try await client.push(
            files, configuration: ArtifactTests.configuration, to: reference)
          let blobs = try BlobDirectory(folder.appending("blobs"))
          let blob = blobs.path(of: pushed.manifest.layers[0].digest)
          let bytes = try files[0].source.readBytes()
          try blob.overwrite(Array(bytes[..<700_000]))
          // What is left out of the registry's copy cannot be fetched again.
          try damageStart(of: pushed.manifest.layers[0].digest, in: registry)
          _ = try await client.pull(reference, into: blobs)
          #expect(try blob.readBytes() == bytes)
          // Without the part, the same registry has only damaged bytes to offer.
          blob.removeItem()
          let error = await #expect(throws: RegistryError.self) {
            try await client.pull(reference, into: blobs)
          }
          #expect(error?.code == .digestMismatch)
        }
      }
    }
  }

  /// Changes the first byte of a blob where the registry keeps it.
  private func damageStart(of digest: ContentDigest, in registry: RealRegistry) throws {
    let path = registry.storage.pushing(
      FilePath(
        "docker/registry/v2/blobs/sha256/\(digest.hexadecimal.prefix(2))/\(digest.hexadecimal)/data"
      ))
    var bytes = try path.readBytes()
    bytes[0] ^= 1
    try path.overwrite(bytes)
  }

  @Test func `connections that break on the way there and back lose nothing`() async throws {
    try await RealRegistry.with { registry in
      try await withTemporaryDirectory { folder in
        let files = try files(in: folder)
        let port = try #require(registry.host.split(separator: ":").last.flatMap { Int($0) })
        // In the middle of the first part, of the second, and right behind the head of a request.
        let digest = try await CuttingProxy.serving(port: port, cuts: [150_000, 450_000, 1_200]) {
          proxy in
          try await RegistryClient.withClient(configuration) { client in
            let log = EventLog()
            let pushed = try await client.push(
              files, configuration: ArtifactTests.configuration,
              to: RegistryReference("\(proxy.host)/team/model:v1"), progress: log.progress)
            // A cut connection may also be one that nothing was using, so this is no exact number.
            #expect(log.retries.count >= 1)
            #expect(log.movedByteCount + log.skippedByteCount == 1_000_004)
            #expect(proxy.remainingCutCount == 0)
            return pushed.digest
          }
        }
        try await CuttingProxy.serving(port: port, cuts: [100_000, 300_000, 300_000]) { proxy in
          try await RegistryClient.withClient(configuration) { client in
            let log = EventLog()
            let artifact = try await client.pull(
              RegistryReference("\(proxy.host)/team/model@\(digest)"),
              into: BlobDirectory(folder.appending("blobs")), progress: log.progress)
            #expect(log.retries.count >= 1)
            #expect(log.movedByteCount + log.skippedByteCount == 1_000_004)
            for (file, source) in zip(artifact.files, files) {
              guard case .fetched(let blob) = file.source else { continue }
              #expect(try blob.readBytes() == source.source.readBytes())
            }
          }
        }
      }
    }
  }

  @Test func `what is not there is not found`() async throws {
    try await RealRegistry.with { registry in
      try await RegistryClient.withClient(configuration) { client in
        let error = await #expect(throws: RegistryError.self) {
          try await client.fetchManifest(RegistryReference("\(registry.host)/team/model:v9"))
        }
        #expect(error?.code == .notFound)
        #expect(
          error?.description.hasPrefix(
            "\(registry.host)/team/model:v9: the registry answered 404: MANIFEST_UNKNOWN") == true)
      }
    }
  }

  @Test func `a registry with a password lets in whoever has it`() async throws {
    try await RealRegistry.with(needsPassword: true) { registry in
      try await withTemporaryDirectory { folder in
        let files = try files(in: folder)
        let reference = try RegistryReference("\(registry.host)/team/model:v1")
        for password in [nil, "wrong"] {
          let wrong = try with(password, for: registry)
          let error = await #expect(throws: RegistryError.self) {
            try await RegistryClient.withClient(wrong) { client in
              try await client.push(
                files, configuration: ArtifactTests.configuration, to: reference)
            }
          }
          #expect(error?.code == .unauthorized)
        }
        let right = try with(RealRegistry.password, for: registry)
        let artifact = try await RegistryClient.withClient(right) { client in
          _ = try await client.push(
            files, configuration: ArtifactTests.configuration, to: reference)
          return try await client.pull(
            reference, into: BlobDirectory(folder.appending("blobs")))
        }
        #expect(artifact.files.count == 4)
      }
    }
  }

  private func with(
    _ password: String?, for registry: RealRegistry
  ) throws -> RegistryClient.Configuration {
    var configuration = configuration
    if let password {
      configuration.credentials = [
        try RegistryCredentials(host: registry.host, user: RealRegistry.user, password: password)
      ]
    }
    return configuration
  }

  @Test func `TLS is spoken by default, and only with an authority that is trusted`() async throws {
    try await withTemporaryDirectory { folder in
      guard let certificate = try makeCertificate(in: folder) else { return }
      try await RealRegistry.with(certificate: certificate) { registry in
        let stranger = await #expect(throws: RegistryError.self) {
          try await RegistryClient.withClient { client in try await client.ping(registry.host) }
        }
        #expect(stranger?.code == .unreachable)
        #expect(stranger?.detail.hasPrefix("TLS failed") == true, "\(stranger?.detail ?? "")")

        var configuration = RegistryClient.Configuration.test
        configuration.usesPlainHTTP = false
        configuration.authorities = certificate.chain
        let files = try files(in: folder)
        try await RegistryClient.withClient(configuration) { client in
          let reference = try RegistryReference("\(registry.host)/team/model:v1")
          _ = try await client.push(
            files, configuration: ArtifactTests.configuration, to: reference)
          let artifact = try await client.pull(
            reference, into: BlobDirectory(folder.appending("blobs")))
          #expect(artifact.files.count == 4)
        }
      }
    }
  }

  @Test func `a registry without TLS is not spoken to unless that is asked for`() async throws {
    try await RealRegistry.with { registry in
      let error = await #expect(throws: RegistryError.self) {
        try await RegistryClient.withClient { client in try await client.ping(registry.host) }
      }
      #expect(error?.code == .unreachable)
      #expect(error?.detail.contains("--plain-http") == true, "\(error?.detail ?? "")")
    }
  }

  /// A certificate for this machine, by `openssl`; nil where that is missing.
  private func makeCertificate(
    in folder: FilePath
  ) throws -> (chain: FilePath, key: FilePath)? {
    guard let program = RealRegistry.find("openssl") else { return nil }
    let (chain, key) = (folder.appending("chain.pem"), folder.appending("key.pem"))
    let process = Process()
    process.executableURL = URL(filePath: program.string)
    process.arguments = [
      "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
      "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key.string, "-out",
      chain.string,
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? (chain, key) : nil
  }
}
