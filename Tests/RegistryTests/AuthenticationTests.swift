import Foundation
import NIOHTTP1
import RegistrySupport
import SystemPackage
import TestSupport
import Testing

@testable import Registry

/// What a client sends to whom, seen from the servers.
struct AuthenticationTests {
  static let server = BlobServer(bytes: sampleBytes(1000))

  private static func credentials(for stub: StubServer) throws -> RegistryCredentials {
    try RegistryCredentials(host: stub.host, user: "ada", password: "secret")
  }

  /// Whether the blob's repository has it, by a client with this configuration.
  private func ask(
    _ stub: StubServer, _ configuration: RegistryClient.Configuration = .test
  ) async throws -> Bool {
    try await RegistryClient.withClient(configuration) { client in
      try await client.hasBlob(Self.server.blob.digest, in: RegistryReference("\(stub.host)/a/b"))
    }
  }

  @Test func `a user and password are sent only when they are asked for`() async throws {
    try await StubServer.serving { request, _ in
      request.headers.first(name: "Authorization") == nil
        ? StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
        : StubServer.Answer(.ok)
    } during: { stub in
      var configuration = RegistryClient.Configuration.test
      configuration.credentials = [try Self.credentials(for: stub)]
      #expect(try await ask(stub, configuration))
      #expect(
        stub.requests.map { $0.headers.first(name: "Authorization") }
          == [nil, "Basic YWRhOnNlY3JldA=="])
    }
  }

  @Test func `what worked once is sent at once the next time`() async throws {
    try await StubServer.serving { request, _ in
      request.headers.first(name: "Authorization") == nil
        ? StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
        : StubServer.Answer(.ok)
    } during: { stub in
      var configuration = RegistryClient.Configuration.test
      configuration.credentials = [try Self.credentials(for: stub)]
      try await RegistryClient.withClient(configuration) { client in
        for _ in 0..<3 {
          _ = try await client.hasBlob(
            Self.server.blob.digest, in: RegistryReference("\(stub.host)/a/b"))
        }
      }
      #expect(stub.requests.count == 4)
    }
  }

  @Test func `a wrong password is reported and not tried twice`() async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
    } during: { stub in
      var configuration = RegistryClient.Configuration.test
      configuration.credentials = [try Self.credentials(for: stub)]
      let error = await #expect(throws: RegistryError.self) { try await ask(stub, configuration) }
      #expect(error?.code == .unauthorized)
      #expect(error?.detail == "the registry does not let the user 'ada' do this")
      #expect(stub.requests.count == 2)
    }
  }

  @Test func `without a password the error says how to give one`() async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await ask(stub) }
      #expect(error?.code == .unauthorized)
      #expect(error?.detail.contains("Set FLARE_REGISTRY_USER and FLARE_REGISTRY_PASSWORD") == true)
    }
  }

  @Test func `credentials of another registry are not sent`() async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
    } during: { stub in
      var configuration = RegistryClient.Configuration.test
      configuration.credentials = [
        // The same host, but another port is another server.
        try RegistryCredentials(host: "127.0.0.1", user: "ada", password: "secret"),
        try RegistryCredentials(host: "other.example", user: "ada", password: "secret"),
      ]
      await #expect(throws: RegistryError.self) { try await ask(stub, configuration) }
      #expect(stub.requests.allSatisfy { !$0.headers.contains(name: "Authorization") })
    }
  }

  /// Answers as a registry and its token server do, both in one.
  private static func tokenServer(
    _ request: StubServer.Request, tokens: [String], realmHost: String? = nil,
    needsPassword: Bool = true
  ) -> StubServer.Answer {
    if request.path == "/token" {
      let authorization = request.headers.first(name: "Authorization")
      guard !needsPassword || authorization == "Basic YWRhOnNlY3JldA==" else {
        return StubServer.Answer(.unauthorized)
      }
      return StubServer.Answer(.ok, text: #"{"token": "\#(tokens[0])", "expires_in": 60}"#)
    }
    let host = realmHost ?? request.headers.first(name: "Host") ?? ""
    guard tokens.contains(where: { request.headers.first(name: "Authorization") == "Bearer \($0)" })
    else {
      return StubServer.Answer(
        .unauthorized,
        [
          "WWW-Authenticate":
            #"Bearer realm="http://\#(host)/token",service="s v",scope="repository:a/b:pull""#
        ])
    }
    return StubServer.Answer(.ok)
  }

  @Test func `a token is fetched for the scope and sent to the registry`() async throws {
    try await StubServer.serving { request, _ in
      Self.tokenServer(request, tokens: ["abc.def"])
    } during: { stub in
      var configuration = RegistryClient.Configuration.test
      configuration.credentials = [try Self.credentials(for: stub)]
      #expect(try await ask(stub, configuration))
      #expect(
        stub.requests.map(\.target) == [
          "/v2/a/b/blobs/\(Self.server.blob.digest)",
          "/token?service=s%20v&scope=repository:a/b:pull",
          "/v2/a/b/blobs/\(Self.server.blob.digest)",
        ])
      #expect(
        stub.requests.map { $0.headers.first(name: "Authorization") }
          == [nil, "Basic YWRhOnNlY3JldA==", "Bearer abc.def"])
    }
  }

  @Test func `anonymous clients fetch a token too`() async throws {
    try await StubServer.serving { request, _ in
      Self.tokenServer(request, tokens: ["t"], needsPassword: false)
    } during: { stub in
      let answer = try await ask(stub)
      #expect(answer)
      #expect(!stub.requests[1].headers.contains(name: "Authorization"))
    }
  }

  @Test func `a push asks for a token that serves for all of it`() async throws {
    try await StubServer.serving { request, _ in
      Self.tokenServer(request, tokens: ["t"], needsPassword: false)
    } during: { stub in
      try await RegistryClient.withClient(.test) { client in
        _ = try await client.hasBlob(
          Self.server.blob.digest, in: RegistryReference("\(stub.host)/a/b"), toPush: true)
      }
      #expect(
        stub.requests[1].target
          == "/token?service=s%20v&scope=repository:a/b:pull&scope=repository:a/b:pull,push")
    }
  }

  @Test func `a token that has expired is replaced`() async throws {
    try await StubServer.serving { request, before in
      // The first token serves for one request.
      let isOld = before.contains { $0.headers.first(name: "Authorization") == "Bearer old" }
      return Self.tokenServer(request, tokens: [isOld ? "new" : "old"], needsPassword: false)
    } during: { stub in
      try await RegistryClient.withClient(.test) { client in
        for _ in 0..<2 {
          let isThere = try await client.hasBlob(
            Self.server.blob.digest, in: RegistryReference("\(stub.host)/a/b"))
          #expect(isThere)
        }
      }
      #expect(stub.requests.last?.headers.first(name: "Authorization") == "Bearer new")
    }
  }

  @Test func `a password is not sent to a stranger for a token`() async throws {
    try await StubServer.serving { request, _ in
      Self.tokenServer(request, tokens: ["t"])
    } during: { stranger in
      let strangerHost = "localhost:\(stranger.port)"
      try await StubServer.serving { request, _ in
        Self.tokenServer(request, tokens: ["t"], realmHost: strangerHost)
      } during: { stub in
        var configuration = RegistryClient.Configuration.test
        configuration.credentials = [try Self.credentials(for: stub)]
        let error = await #expect(throws: RegistryError.self) {
          try await ask(stub, configuration)
        }
        #expect(error?.code == .insecure)
        #expect(
          error?.detail.hasPrefix("asks for the password to be sent to 'localhost', another host")
            == true)
        #expect(stranger.requests.isEmpty)
        // Named by the user, it is no stranger.
        configuration.tokenHosts = ["localhost"]
        #expect(try await ask(stub, configuration))
      }
    }
  }

  @Test(arguments: [
    ("https://registry.example", "https://registry.example/token", true),
    ("https://registry-1.docker.io", "https://auth.docker.io/token", true),
    ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true),
    ("https://registry.gitlab.com", "https://evilgitlab.com/jwt/auth", false),
    ("https://ghcr.io", "https://evil.io/token", false),
    ("https://10.1.2.3", "https://9.1.2.3/token", false),
    ("https://registry.example", "https://auth.example/token", false),
  ])
  func `a token server is trusted as the registry or its neighbour`(
    registry: String, realm: String, isTrusted: Bool
  ) throws {
    let origins = [registry, realm].compactMap { URL(string: $0).flatMap(HTTPOrigin.init) }
    try #require(origins.count == 2)
    #expect(origins[1].isNeighbour(of: origins[0]) == isTrusted)
  }

  @Test(arguments: [
    ("http://auth.example/token", RegistryError.Code.insecure),
    ("ftp://auth.example/token", .unexpectedAnswer), ("", .unexpectedAnswer),
    ("/token", .unexpectedAnswer),
  ])
  func `a token server without TLS or without an address is refused`(
    realm: String, code: RegistryError.Code
  ) async throws {
    try await StubServer.serving { _, _ in
      StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Bearer realm="\#(realm)""#])
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await ask(stub) }
      #expect(error?.code == code, "\(error?.description ?? "")")
    }
  }

  @Test(arguments: [
    "", "{}", #"{"token": ""}"#, #"{"token": "a\nb"}"#, #"{"token": 5}"#, "<html>",
  ])
  func `an answer without a token is refused`(text: String) async throws {
    try await StubServer.serving { request, _ in
      request.path == "/token"
        ? StubServer.Answer(.ok, text: text)
        : Self.tokenServer(request, tokens: ["t"], needsPassword: false)
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await ask(stub) }
      #expect(error?.code == .unexpectedAnswer)
    }
  }

  @Test func `a token server that fails is the one that is blamed`() async throws {
    // Nobody listens on the port of a server that has ended.
    let dead = try await StubServer.serving { _, _ in
      StubServer.Answer(.ok)
    } during: {
      $0.host
    }
    try await StubServer.serving { request, _ in
      Self.tokenServer(request, tokens: ["t"], realmHost: dead)
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await ask(stub) }
      #expect(error?.code == .unreachable)
      #expect(
        error?.description.hasSuffix(
          ": token server '127.0.0.1': nothing answers there (Connection refused)") == true)
    }
    try await StubServer.serving { request, _ in
      Self.tokenServer(request, tokens: ["t"])
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await ask(stub) }
      #expect(error?.code == .unauthorized)
      #expect(
        error?.description.contains(": token server '127.0.0.1': asks for a user and a password.")
          == true)
    }
  }

  @Test func `a redirect keeps the credentials at home`() async throws {
    try await StubServer.serving { request, _ in
      Self.server.answer(request)
    } during: { storage in
      try await StubServer.serving { request, _ in
        request.headers.first(name: "Authorization") == nil
          ? StubServer.Answer(.unauthorized, ["WWW-Authenticate": #"Basic realm="x""#])
          : StubServer.Answer(
            .temporaryRedirect, ["Location": "http://\(storage.host)/elsewhere?signature=1"])
      } during: { stub in
        var configuration = RegistryClient.Configuration.test
        configuration.credentials = [try Self.credentials(for: stub)]
        try await withTemporaryDirectory { [configuration] folder in
          let blobs = try BlobDirectory(folder.appending("blobs"))
          try await RegistryClient.withClient(configuration) { client in
            _ = try await client.fetchBlob(
              Self.server.blob, from: RegistryReference("\(stub.host)/a/b"), into: blobs)
          }
          #expect(try blobs.path(of: Self.server.blob.digest).readBytes() == Self.server.bytes)
        }
        #expect(storage.requests.map(\.target) == ["/elsewhere?signature=1"])
        #expect(storage.requests.allSatisfy { !$0.headers.contains(name: "Authorization") })
      }
    }
  }

  @Test func `redirects without end are given up`() async throws {
    try await StubServer.serving { request, before in
      StubServer.Answer(.found, ["Location": "/\(before.count)"])
    } during: { stub in
      let error = await #expect(throws: RegistryError.self) { try await ask(stub) }
      #expect(error?.detail == "was redirected more than 5 times")
      #expect(stub.requests.count == 6)
    }
  }

  @Test func `a redirect does not leave TLS behind`() throws {
    let request = RegistryRequest(
      .GET, try #require(URL(string: "https://registry.example/v2/")), subject: "x")
    let error = #expect(throws: RegistryError.self) {
      try request.target(of: "http://registry.example/v2/")
    }
    #expect(error?.code == .insecure)
    #expect(
      try request.target(of: "https://other.example/a").absoluteString
        == "https://other.example/a")
    #expect(
      try request.target(of: "uploads/1?x=y").absoluteString
        == "https://registry.example/v2/uploads/1?x=y")
    #expect(throws: RegistryError.self) { try request.target(of: "file:///etc/passwd") }
  }
}
