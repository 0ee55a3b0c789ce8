import AsyncHTTPClient
import NIOHTTP1

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// One request to a registry, which can be sent any number of times.
struct RegistryRequest: Sendable {
  /// What a request needs to be allowed, and so what a token is asked for.
  struct Access: Sendable, Hashable {
    let repository: String
    let mayPush: Bool

    /// The scope of the token protocol.
    var scope: String { "repository:\(repository):\(mayPush ? "pull,push" : "pull")" }
  }

  var method: HTTPMethod
  var url: URL
  /// What errors begin with.
  var subject: String
  var headers: HTTPHeaders
  var access: Access?
  /// Makes the body anew for each sending.
  var body: (@Sendable () -> HTTPClientRequest.Body)?
  /// Whether the answer may take as long as `RegistryClient.Configuration.commitTimeout`.
  var isPatient = false

  init(
    _ method: HTTPMethod, _ url: URL, subject: String, headers: HTTPHeaders = [:],
    access: Access? = nil, body: (@Sendable () -> HTTPClientRequest.Body)? = nil
  ) {
    self.method = method
    self.url = url
    self.subject = subject
    self.headers = headers
    self.access = access
    self.body = body
  }

  /// The request as it goes out.
  func prepared(authorization: String?) -> HTTPClientRequest {
    var request = HTTPClientRequest(url: url.absoluteString)
    request.method = method
    request.headers = headers
    request.headers.replaceOrAdd(name: "User-Agent", value: "flare")
    if let authorization {
      request.headers.replaceOrAdd(name: "Authorization", value: authorization)
    }
    request.body = body?()
    return request
  }
}

extension RegistryReference {
  func access(mayPush: Bool) -> RegistryRequest.Access {
    RegistryRequest.Access(repository: repository, mayPush: mayPush)
  }
}
