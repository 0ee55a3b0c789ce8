import AsyncHTTPClient
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

extension RegistryClient {
  /// Sends a request, as often as it takes, and reads its answer.
  ///
  /// - Parameters:
  ///   - statuses: the answers that `read` understands; any other is an error.
  ///   - read: may throw `Interruption` to have the request made again.
  /// - Throws: `RegistryError`, or whatever else `read` throws.
  func exchange<Result>(
    _ request: RegistryRequest, accepting statuses: Set<UInt>, progress: TransferProgress? = nil,
    _ read: (HTTPClientResponse) async throws -> Result
  ) async throws -> Result {
    try await configuration.retries.run(reporting: progress.retryReport) {
      try await exchangeOnce(request, accepting: statuses, read)
    }
  }

  /// Sends a request once, with what redirects and authentication ask for, and reads its answer.
  ///
  /// - Throws: `Interruption` when the request may succeed later, otherwise `RegistryError`.
  func exchangeOnce<Result>(
    _ request: RegistryRequest, accepting statuses: Set<UInt>,
    _ read: (HTTPClientResponse) async throws -> Result
  ) async throws -> Result {
    do {
      let response = try await send(request)
      guard statuses.contains(response.status.code) else {
        throw try await response.failure(about: request.subject)
      }
      return try await read(response)
    } catch {
      throw request.failure(error)
    }
  }

  /// Sends a request, follows redirects of what only reads, and authenticates when asked to.
  private func send(_ request: RegistryRequest) async throws -> HTTPClientResponse {
    let maximumRedirectCount = 5
    guard let home = HTTPOrigin(request.url) else {
      throw RegistryError(.unexpectedAnswer, request.subject, "has no http address")
    }
    var request = request
    for _ in 0...maximumRedirectCount {
      let response =
        HTTPOrigin(request.url) == home
        ? try await sendAuthorized(request, to: home)
        : try await execute(request, authorization: nil)
      guard request.method == .GET || request.method == .HEAD,
        [301, 302, 303, 307, 308].contains(response.status.code),
        let location = response.headers.first(name: "Location")
      else { return response }
      try await response.discardBody()
      request.url = try request.target(of: location)
    }
    throw RegistryError(
      .unexpectedAnswer, request.subject, "was redirected more than \(maximumRedirectCount) times")
  }

  private func sendAuthorized(
    _ request: RegistryRequest, to origin: HTTPOrigin
  ) async throws -> HTTPClientResponse {
    let key = Authorizations.Key(origin: origin, access: request.access)
    let known = authorizations[key]
    let response = try await execute(request, authorization: known)
    guard response.status == .unauthorized else { return response }
    let authorization = try await answer(
      response.headers["WWW-Authenticate"].flatMap(Challenge.parse), to: request, from: origin,
      refused: known)
    try await response.discardBody()
    let second = try await execute(request, authorization: authorization)
    authorizations[key] = second.status == .unauthorized ? nil : authorization
    guard second.status != .unauthorized else {
      let user = credentials(for: origin)?.user
      throw RegistryError(
        .unauthorized, request.subject,
        user.map { "the registry does not let the user '\($0.inMessage)' do this" }
          ?? "the registry does not let anyone do this without a password. \(Self.howToLogIn)")
    }
    return second
  }

  /// Sends one HTTP request, which silence ends and nothing else: a body may take any time.
  func execute(
    _ request: RegistryRequest, authorization: String?
  ) async throws -> HTTPClientResponse {
    try await (request.isPatient ? patientHTTP : http)
      .execute(request.prepared(authorization: authorization), deadline: .distantFuture)
  }
}

extension RegistryRequest {
  /// The address that a header `Location` means.
  ///
  /// - Throws: `RegistryError` when it is none, or would leave TLS behind.
  func target(of location: String) throws(RegistryError) -> URL {
    let target = URL(string: location, relativeTo: url)?.absoluteURL
    guard let target, let origin = HTTPOrigin(target) else {
      throw RegistryError(
        .unexpectedAnswer, subject, "was sent to '\(location.inMessage)', which is no address")
    }
    guard origin.isEncrypted || url.scheme?.lowercased() == "http" else {
      throw RegistryError(
        .insecure, subject,
        "was sent to '\(location.inMessage)', where it would go on without TLS; it did not go there"
      )
    }
    return target
  }
}

extension TransferProgress? {
  /// Tells of further attempts.
  var retryReport: (RegistryError, Duration) -> Void {
    { error, delay in self?(.retrying(error, after: delay)) }
  }
}
