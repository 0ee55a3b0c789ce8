import Files
import NIOHTTP1
import RegistrySupport
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// Sending one blob to a registry that loses connections and uploads.
struct UploadTests {
  static let bytes = sampleBytes(1_000_000)
  static let digest = ContentDigest(of: bytes)

  /// Sends `bytes` in parts of 300,000, or in one request.
  private func push(
    to registry: StubRegistry, inParts: Bool = true, bytes: [UInt8] = Self.bytes,
    _ check: (_ requests: [StubServer.Request], _ wasSent: Bool, _ log: EventLog) throws -> Void
  ) async throws {
    var configuration = RegistryClient.Configuration.test
    configuration.wholeBlobByteCount = inParts ? 1000 : 10_000_000
    configuration.chunkByteCount = 300_000
    try await StubServer.serving(registry.answer) { [configuration] stub in
      try await withTemporaryDirectory { folder in
        let path = folder.appending("file")
        try path.overwrite(bytes)
        let log = EventLog()
        let wasSent = try await RegistryClient.withClient(configuration) { client in
          try await client.pushBlob(
            Descriptor(mediaType: "x/y", digest: Self.digest, byteCount: bytes.count), at: path,
            to: RegistryReference("\(stub.host)/m"), progress: log.progress)
        }
        try check(stub.requests, wasSent, log)
      }
    }
  }

  @Test func `a short blob goes out in one request`() async throws {
    let registry = StubRegistry()
    try await push(to: registry, inParts: false) { requests, wasSent, log in
      #expect(wasSent)
      #expect(requests.map(\.method) == [.HEAD, .POST, .PUT])
      #expect(log.movedByteCount == Self.bytes.count)
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test func `a long blob goes out in parts that say where they belong`() async throws {
    let registry = StubRegistry()
    try await push(to: registry) { requests, wasSent, log in
      #expect(wasSent)
      #expect(requests.map(\.method) == [.HEAD, .POST, .PATCH, .PATCH, .PATCH, .PATCH, .PUT])
      #expect(
        requests.compactMap { $0.headers.first(name: "Content-Range") }
          == ["0-299999", "300000-599999", "600000-899999", "900000-999999"])
      #expect(log.movedByteCount == Self.bytes.count)
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test func `a registry that wants longer parts gets them`() async throws {
    let registry = StubRegistry(minimumChunkByteCount: 600_000)
    try await push(to: registry) { requests, _, _ in
      #expect(
        requests.compactMap { $0.headers.first(name: "Content-Range") }
          == ["0-599999", "600000-999999"])
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test func `a blob that is there is not sent`() async throws {
    let registry = StubRegistry()
    registry.state.withLock { $0.blobs[Self.digest.description] = Self.bytes }
    try await push(to: registry) { requests, wasSent, log in
      #expect(!wasSent)
      #expect(requests.map(\.method) == [.HEAD])
      #expect(log.skippedByteCount == Self.bytes.count)
      #expect(log.movedByteCount == 0)
    }
  }

  @Test func `after a broken connection only what is missing is sent`() async throws {
    let registry = StubRegistry(faults: [.breaks(after: 1000), .breaks(after: 0)])
    try await push(to: registry) { requests, _, log in
      #expect(
        requests.compactMap { $0.headers.first(name: "Content-Range") } == [
          "0-299999", "1000-300999", "1000-300999", "301000-600999", "601000-900999",
          "901000-999999",
        ])
      #expect(requests.count { $0.method == .POST } == 1)
      #expect(log.movedByteCount == Self.bytes.count)
      #expect(log.retries.count == 2)
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test func `a single byte, which a registry cannot tell from none, spoils nothing`() async throws
  {
    let registry = StubRegistry(faults: [.breaks(after: 1)])
    try await push(to: registry) { requests, _, log in
      #expect(requests.count { $0.method == .POST } == 2)
      #expect(log.movedByteCount == Self.bytes.count)
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test(arguments: [true, false])
  func `an upload that the registry forgot begins anew`(inParts: Bool) async throws {
    let registry = StubRegistry(faults: [.forgets, .forgets])
    try await push(to: registry, inParts: inParts) { requests, _, log in
      #expect(requests.count { $0.method == .POST } == 3)
      #expect(log.movedByteCount == Self.bytes.count)
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test(arguments: [true, false])
  func `a lost answer does not send the bytes again`(inParts: Bool) async throws {
    let registry = StubRegistry(faults: [.losesAnswer])
    try await push(to: registry, inParts: inParts) { requests, _, log in
      #expect(requests.count { $0.method == .PUT } == 1)
      #expect(
        requests.compactMap { $0.headers.first(name: "Content-Range") }
          == (inParts ? ["0-299999", "300000-599999", "600000-899999", "900000-999999"] : []))
      #expect(log.movedByteCount == Self.bytes.count)
    }
    #expect(registry.blobs == [Self.digest.description: Self.bytes])
  }

  @Test(arguments: [true, false])
  func `a registry that never keeps anything is given up`(inParts: Bool) async throws {
    let registry = StubRegistry(faults: Array(repeating: .forgets, count: 100))
    let error = await #expect(throws: RegistryError.self) {
      try await push(to: registry, inParts: inParts) { _, _, _ in }
    }
    #expect(error?.code == .unreachable, "\(error?.description ?? "")")
  }

  @Test(arguments: [true, false])
  func `a file that is not what its digest says is not taken`(inParts: Bool) async throws {
    let registry = StubRegistry()
    let changed = Self.bytes[..<500] + [Self.bytes[500] ^ 1] + Self.bytes[501...]
    let error = await #expect(throws: RegistryError.self) {
      try await push(to: registry, inParts: inParts, bytes: Array(changed)) { _, _, _ in }
    }
    #expect(error?.code == .refused)
    #expect(error?.detail == "the registry answered 400: DIGEST_INVALID, no")
    #expect(registry.blobs.isEmpty)
  }

  @Test func `an upload that is sent to another server takes no credentials along`() async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
    } during: { stranger in
      try await StubServer.serving { request, _ in
        switch (request.method, request.headers.contains(name: "Authorization")) {
        case (_, false):
          StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
        case (.HEAD, _): StubServer.Answer(.notFound)
        default:
          StubServer.Answer(.accepted, ["Location": "http://\(stranger.host)/upload"])
        }
      } during: { stub in
        var configuration = RegistryClient.Configuration.test
        configuration.credentials = [
          try RegistryCredentials(host: stub.host, user: "ada", password: "secret")
        ]
        try await withTemporaryDirectory { [configuration] folder in
          let path = folder.appending("file")
          try path.overwrite(Self.bytes)
          await #expect(throws: RegistryError.self) {
            try await RegistryClient.withClient(configuration) { client in
              try await client.pushBlob(
                Descriptor(mediaType: "x/y", digest: Self.digest, byteCount: Self.bytes.count),
                at: path, to: RegistryReference("\(stub.host)/m"))
            }
          }
        }
      }
      #expect(!stranger.requests.isEmpty)
      #expect(stranger.requests.allSatisfy { !$0.headers.contains(name: "Authorization") })
    }
  }
}
