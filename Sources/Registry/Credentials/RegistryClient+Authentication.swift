import AsyncHTTPClient
import JSON
import NIOHTTP1

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

extension RegistryClient {
  /// The header `Authorization` that answers a registry's challenges.
  ///
  /// - Parameter refused: the header that the request had, which was not good enough.
  /// - Throws: `RegistryError` when there is no answer, or only one that would tell a secret to
  ///   another host; `Interruption` when the token server may answer later.
  func answer(
    _ challenges: [Challenge], to request: RegistryRequest, from registry: HTTPOrigin,
    refused: String?
  ) async throws -> String {
    let credentials = credentials(for: registry)
    if let challenge = challenges.first(where: { $0.scheme == "bearer" }) {
      return try await token(challenge, for: request, from: registry, credentials)
    }
    guard challenges.contains(where: { $0.scheme == "basic" }) else {
      let schemes = challenges.map(\.scheme).joined(separator: ", ").inMessage
      throw RegistryError(
        .unauthorized, request.subject,
        "the registry asks for authentication by '\(schemes)', expected Basic or Bearer")
    }
    guard let credentials else {
      throw RegistryError(
        .unauthorized, request.subject,
        "the registry asks for a user and a password. \(Self.howToLogIn)")
    }
    guard refused != credentials.basicAuthorization else {
      throw RegistryError(
        .unauthorized, request.subject,
        "the registry does not take the password of '\(credentials.user.inMessage)'")
    }
    return credentials.basicAuthorization
  }

  static let howToLogIn =
    "Set \(RegistryCredentials.environmentNames.user) and "
    + "\(RegistryCredentials.environmentNames.password), or log in with docker without a credential "
    + "helper"

  func credentials(for registry: HTTPOrigin) -> RegistryCredentials? {
    configuration.credentials.first {
      (try? Endpoint(registry: $0.host, configuration))?.origin == registry
    }
  }

  /// Fetches a token from the server that a challenge names.
  private func token(
    _ challenge: Challenge, for request: RegistryRequest, from registry: HTTPOrigin,
    _ credentials: RegistryCredentials?
  ) async throws -> String {
    let url = try tokenURL(challenge, for: request)
    guard let server = HTTPOrigin(url) else {
      throw RegistryError(.unexpectedAnswer, request.subject, "its token server has no address")
    }
    try checkTokenServer(server, of: registry, sendsSecret: credentials != nil, request.subject)
    let tokenRequest = RegistryRequest(
      .GET, url, subject: "\(request.subject): token server '\(server.host.inMessage)'")
    do {
      return "Bearer " + (try await token(by: tokenRequest, credentials))
    } catch {
      // Not by the outer request, whose errors would blame the registry.
      throw tokenRequest.failure(error)
    }
  }

  /// Asks a token server, which is the right one, for a token.
  private func token(
    by request: RegistryRequest, _ credentials: RegistryCredentials?
  ) async throws -> String {
    let response = try await execute(request, authorization: credentials?.basicAuthorization)
    guard response.status == .ok else {
      if response.status == .unauthorized {
        let reason =
          credentials.map { "does not take the password of '\($0.user.inMessage)'" }
          ?? "asks for a user and a password. \(Self.howToLogIn)"
        throw RegistryError(.unauthorized, request.subject, reason)
      }
      throw try await response.failure(about: request.subject)
    }
    let body = try await response.bytes(upTo: 1 << 20, about: request.subject)
    let answer = try? JSONValue(parsing: body.span)
    guard let token = answer?["token"]?.string ?? answer?["access_token"]?.string, !token.isEmpty,
      token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else {
      throw RegistryError(.unexpectedAnswer, request.subject, "its answer holds no token")
    }
    return token
  }

  private func tokenURL(
    _ challenge: Challenge, for request: RegistryRequest
  ) throws(RegistryError) -> URL {
    let realm = challenge.parameters["realm"] ?? ""
    guard var components = URLComponents(string: realm), HTTPOrigin(components) != nil else {
      throw RegistryError(
        .unexpectedAnswer, request.subject,
        "its token server '\(realm.inMessage)' is no http address")
    }
    var items = components.queryItems ?? []
    if let service = challenge.parameters["service"] {
      items.append(URLQueryItem(name: "service", value: service))
    }
    // What the registry says is needed, and all that this client will need: one token then serves
    // for the whole of a push.
    var scopes = (challenge.parameters["scope"] ?? "").split(separator: " ").map(String.init)
    if let own = request.access?.scope, !scopes.contains(own) { scopes.append(own) }
    items += scopes.map { URLQueryItem(name: "scope", value: $0) }
    components.queryItems = items
    guard let url = components.url else {
      throw RegistryError(
        .unexpectedAnswer, request.subject, "its token server '\(realm.inMessage)' has no address")
    }
    return url
  }

  /// Checks that a token may be asked for there: with TLS, and not of a stranger by a user's name.
  private func checkTokenServer(
    _ server: HTTPOrigin, of registry: HTTPOrigin, sendsSecret: Bool, _ subject: String
  ) throws(RegistryError) {
    let isPlainByWish = configuration.usesPlainHTTP && server.host == registry.host
    guard server.isEncrypted || server.isLoopback || isPlainByWish else {
      throw RegistryError(
        .insecure, subject,
        "its token server '\(server.host.inMessage)' is reached without TLS; nothing was sent there"
      )
    }
    guard
      !sendsSecret || server.isNeighbour(of: registry)
        || configuration.tokenHosts.contains(server.host)
    else {
      throw RegistryError(
        .insecure, subject,
        "asks for the password to be sent to '\(server.host.inMessage)', another host. If that is "
          + "its token server, name it as one to trust")
    }
  }
}

extension HTTPOrigin {
  /// Nil when the components are no `http` or `https` address.
  init?(_ components: URLComponents) {
    guard let url = components.url else { return nil }
    self.init(url)
  }
}
