import Files
import NIOHTTP1
import RegistrySupport
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// Fetching one blob from a server that does what real ones do on a bad day.
struct DownloadTests {
  static let server = BlobServer(bytes: sampleBytes(300_000))

  /// Fetches the blob with what `blobs` holds before, and gives the bytes and what was seen.
  private func fetch(
    from stub: StubServer, holding before: [UInt8]? = nil,
    configuration: RegistryClient.Configuration = .test, blob: Descriptor = Self.server.blob
  ) async throws -> (bytes: [UInt8], fetchedByteCount: Int, log: EventLog) {
    try await withTemporaryDirectory { folder in
      let blobs = try BlobDirectory(folder.appending("blobs"))
      if let before { try blobs.path(of: blob.digest).overwrite(before) }
      let log = EventLog()
      let fetchedByteCount = try await RegistryClient.withClient(configuration) { client in
        try await client.fetchBlob(
          blob, from: RegistryReference("\(stub.host)/team/m"), into: blobs,
          progress: log.progress)
      }
      return (try blobs.path(of: blob.digest).readBytes(), fetchedByteCount, log)
    }
  }

  /// Expects that fetching fails with `code`.
  private func expectFailure(
    _ code: RegistryError.Code, blob: Descriptor = Self.server.blob,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ answer: @escaping @Sendable (StubServer.Request, [StubServer.Request]) -> StubServer.Answer
  ) async throws {
    try await StubServer.serving(answer) { stub in
      let error = await #expect(throws: RegistryError.self, sourceLocation: sourceLocation) {
        try await fetch(from: stub, blob: blob)
      }
      #expect(error?.code == code, "\(error?.description ?? "")", sourceLocation: sourceLocation)
      #expect(
        error?.subject.hasPrefix("\(stub.host)/team/m@\(blob.digest)") == true,
        sourceLocation: sourceLocation)
    }
  }

  @Test func `a blob arrives whole`() async throws {
    try await StubServer.serving { request, _ in
      Self.server.answer(request)
    } during: { stub in
      let (bytes, fetched, log) = try await fetch(from: stub)
      #expect(fetched == bytes.count)
      #expect(bytes == Self.server.bytes)
      #expect(log.movedByteCount == bytes.count)
      #expect(stub.requests.map(\.line) == ["GET /v2/team/m/blobs/\(Self.server.blob.digest)"])
      #expect(!stub.requests[0].headers.contains(name: "Range"))
    }
  }

  @Test func `after a cut connection only the rest is asked for`() async throws {
    try await StubServer.serving { request, before in
      Self.server.answer(request, cut: before.isEmpty ? 100_000 : nil)
    } during: { stub in
      let (bytes, fetched, log) = try await fetch(from: stub)
      #expect(fetched == bytes.count)
      #expect(bytes == Self.server.bytes)
      #expect(log.movedByteCount == bytes.count)
      #expect(log.retries.map(\.error.code) == [.unreachable])
      #expect(stub.requests.count == 2)
      // What arrived before the cut may be less than what was sent.
      let range = stub.requests[1].headers.first(name: "Range") ?? "bytes=0-"
      let start = Int(range.dropFirst(6).dropLast())
      #expect(start.map { (1...100_000).contains($0) } == true)
    }
  }

  @Test func `a connection that is cut at every step makes progress all the same`() async throws {
    try await StubServer.serving { request, _ in
      Self.server.answer(request, cut: 40_000)
    } during: { stub in
      let (bytes, _, _) = try await fetch(from: stub)
      #expect(bytes == Self.server.bytes)
      #expect(stub.requests.count > RegistryClient.Configuration.test.retries.maximumAttempts)
    }
  }

  @Test func `what an earlier run left is hashed and continued`() async throws {
    try await StubServer.serving { request, _ in
      Self.server.answer(request)
    } during: { stub in
      let (bytes, fetched, log) = try await fetch(
        from: stub, holding: Array(Self.server.bytes[..<200_000]))
      #expect(fetched == 100_000)
      #expect(bytes == Self.server.bytes)
      #expect(stub.requests.map { $0.headers.first(name: "Range") } == ["bytes=200000-"])
      #expect(log.movedByteCount == bytes.count)
    }
  }

  @Test func `a blob that is there already is not asked for`() async throws {
    try await StubServer.serving { request, _ in
      Self.server.answer(request)
    } during: { stub in
      let (_, _, log) = try await fetch(from: stub, holding: Self.server.bytes)
      #expect(stub.requests.isEmpty)
      #expect(log.movedByteCount == Self.server.bytes.count)
    }
  }

  @Test(arguments: [
    sampleBytes(200_000, seed: 2), sampleBytes(300_000, seed: 2), sampleBytes(300_001, seed: 2),
  ])
  func `bytes of something else are replaced`(before: [UInt8]) async throws {
    try await StubServer.serving { request, _ in
      Self.server.answer(request)
    } during: { stub in
      let (bytes, fetched, log) = try await fetch(from: stub, holding: before)
      #expect(fetched == bytes.count)
      #expect(bytes == Self.server.bytes)
      #expect(log.movedByteCount == bytes.count)
      // All of it was asked for.
      #expect(stub.requests.last?.headers.contains(name: "Range") == false)
    }
  }

  @Test func `a server without ranges sends everything again`() async throws {
    try await StubServer.serving { _, before in
      StubServer.Answer(.ok, body: Self.server.bytes, cut: before.isEmpty ? 100_000 : nil)
    } during: { stub in
      let (bytes, _, log) = try await fetch(from: stub)
      #expect(bytes == Self.server.bytes)
      #expect(log.movedByteCount == bytes.count)
    }
  }

  @Test func `a server that breaks off and cannot go on is given up`() async throws {
    try await expectFailure(.unreachable) { _, _ in
      StubServer.Answer(.ok, body: Self.server.bytes, cut: 100_000)
    }
  }

  @Test func `other bytes of the same length are refused and not kept`() async throws {
    let other = sampleBytes(300_000, seed: 2)
    try await expectFailure(.digestMismatch) { _, _ in StubServer.Answer(.ok, body: other) }
    try await withTemporaryDirectory { folder in
      let blobs = try BlobDirectory(folder.appending("blobs"))
      try await StubServer.serving { _, _ in
        StubServer.Answer(.ok, body: other)
      } during: { stub in
        _ = await #expect(throws: RegistryError.self) {
          try await RegistryClient.withClient(.test) { client in
            try await client.fetchBlob(
              Self.server.blob, from: RegistryReference("\(stub.host)/m"), into: blobs)
          }
        }
      }
      #expect(blobs.path(of: Self.server.blob.digest).fileByteCount == 0)
    }
  }

  @Test func `a longer or a shorter answer than the manifest says is refused`() async throws {
    try await expectFailure(.tooLarge) { _, _ in
      StubServer.Answer(.ok, body: Self.server.bytes + [0])
    }
    try await expectFailure(.digestMismatch) { _, _ in
      StubServer.Answer(.ok, body: Self.server.bytes.dropLast())
    }
    // Without a length, only what arrives tells.
    try await expectFailure(.tooLarge) { _, _ in
      StubServer.Answer(
        .ok, ["Transfer-Encoding": "chunked"], body: Self.server.bytes + [0])
    }
  }

  @Test func `a part from another place is not taken for the right one`() async throws {
    try await StubServer.serving { request, before in
      before.isEmpty
        ? StubServer.Answer(
          .partialContent, ["Content-Range": "bytes 5-299999/300000"],
          body: Array(Self.server.bytes[5...]))
        : Self.server.answer(request)
    } during: { stub in
      let (bytes, _, _) = try await fetch(from: stub, holding: Array(Self.server.bytes[..<7]))
      #expect(bytes == Self.server.bytes)
    }
  }

  @Test func `a missing blob is reported with the registry's words`() async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(
        .notFound,
        text: #"{"errors": [{"code": "BLOB_UNKNOWN", "message": "blob\u001b unknown"}]}"#)
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await fetch(from: stub) }
      #expect(
        error?.description
          == "\(stub.host)/team/m@\(Self.server.blob.digest): the registry answered 404: "
          + "BLOB_UNKNOWN, blob  unknown")
      #expect(stub.requests.count == 1)
    }
  }

  @Test(arguments: [429, 500, 502, 503, 504, 408])
  func `a passing failure is tried again`(status: Int) async throws {
    try await StubServer.serving { request, before in
      before.count < 2
        ? StubServer.Answer(.init(statusCode: status)) : Self.server.answer(request)
    } during: { stub in
      let (bytes, _, log) = try await fetch(from: stub)
      #expect(bytes == Self.server.bytes)
      #expect(log.retries.map(\.error.code) == [.refused, .refused])
    }
  }

  @Test func `a failure that stays is given up after a bounded number of attempts`() async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(.serviceUnavailable)
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await fetch(from: stub) }
      #expect(error?.code == .refused)
      #expect(error?.kind == .unavailable)
      #expect(stub.requests.count == 5)
    }
  }

  @Test func `a server that wants a pause gets it, unless it is too long`() async throws {
    try await StubServer.serving { request, before in
      before.isEmpty
        ? StubServer.Answer(.tooManyRequests, ["Retry-After": "1"]) : Self.server.answer(request)
    } during: { stub in
      let (_, _, log) = try await fetch(from: stub)
      #expect(log.retries.map(\.delay) == [.seconds(1)])
    }
    try await StubServer.serving { _, _ in
      StubServer.Answer(.tooManyRequests, ["Retry-After": "99999999999999999"])
    } during: { stub in
      await #expect(throws: RegistryError.self) { try await fetch(from: stub) }
      #expect(stub.requests.count == 1)
    }
  }

  @Test func `a server that is not there is reported as unreachable`() async throws {
    // A port below those that the system gives to other tests' servers, and that no service uses.
    let host = "127.0.0.1:1"
    let error = await #expect(throws: RegistryError.self) {
      try await RegistryClient.withClient(.test) { try await $0.ping(host) }
    }
    #expect(error?.code == .unreachable)
    #expect(error?.description == "\(host): nothing answers there (Connection refused)")
  }

  @Test func `a silent server is not waited for without end`() async throws {
    var configuration = RegistryClient.Configuration.test
    configuration.idleTimeout = .milliseconds(100)
    configuration.retries.maximumAttempts = 2
    try await StubServer.serving { _, _ in
      // Promises more than it sends, and keeps the connection.
      StubServer.Answer(.ok, ["Content-Length": "300000"], body: [1, 2, 3])
    } during: { [configuration] stub in
      let error = await #expect(throws: RegistryError.self) {
        try await fetch(from: stub, configuration: configuration)
      }
      #expect(error?.code == .unreachable, "\(error?.description ?? "")")
    }
  }

  @Test func `two pulls do not write one file at the same time`() throws {
    try withTemporaryDirectory { folder in
      let path = folder.appending("blob")
      let file = try BlobFile(path, limit: 10)
      let error = #expect(throws: RegistryError.self) { try BlobFile(path, limit: 10) }
      #expect(error?.code == .busy)
      withExtendedLifetime(file) {}
    }
    try withTemporaryDirectory { folder in
      let path = folder.appending("blob")
      _ = try BlobFile(path, limit: 10)
      #expect(throws: Never.self) { try BlobFile(path, limit: 10) }
    }
  }

  @Test func `a blob is not written through a link or into a pipe`() throws {
    try withTemporaryDirectory { folder in
      let (link, target) = (folder.appending("link"), folder.appending("target"))
      try target.overwrite("untouched")
      try link.makeSymbolicLink(to: target)
      #expect(throws: FileError.self) { try BlobFile(link, limit: 1) }
      #expect(try target.readText() == "untouched")
      try folder.appending("pipe").makePipe()
      #expect(throws: FileError.self) { try BlobFile(folder.appending("pipe"), limit: 1) }
    }
  }
}
