import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
public import SystemPackage

/// Talks to registries by the OCI distribution specification 1.1.
///
/// A client lives as long as the closure that it is handed to:
///
///     let artifact = try await RegistryClient.withClient { client in
///       try await client.pull(RegistryReference("registry.example/team/model:v2"), into: blobs)
///     }
///
/// It speaks TLS unless the configuration says otherwise, sends credentials only to the host that
/// they are for, and makes a request again when the failure may pass.
public struct RegistryClient: Sendable {
  public struct Configuration: Sendable {
    /// Whether registries are spoken to without TLS.
    public var usesPlainHTTP = false
    /// A PEM file of authorities that are trusted in place of the system's.
    public var authorities: FilePath?
    /// At most one for each registry; a registry without any is used anonymously.
    public var credentials: [RegistryCredentials] = []
    /// Hosts that may be sent credentials for a token, when a registry names them and they are
    /// neither its own host nor its neighbours.
    public var tokenHosts: Set<String> = []
    public var retries = RetryPolicy()
    public var connectTimeout: Duration = .seconds(10)
    /// How long nothing may arrive, or leave, in the middle of an exchange.
    public var idleTimeout: Duration = .seconds(60)
    /// How long a registry may take to put a blob together whose parts have all arrived.
    public var commitTimeout: Duration = .seconds(600)
    /// A blob of this many bytes or fewer is sent in one request.
    public var wholeBlobByteCount = 16 << 20
    /// The bytes of each request of a longer one; some gateways take no more than 100 MB at a time.
    public var chunkByteCount = 64 << 20

    public init() {}
  }

  let configuration: Configuration
  let http: HTTPClient
  /// Like `http`, but waits longer for answers.
  let patientHTTP: HTTPClient
  let authorizations = Authorizations()

  /// Runs `body` with a client, and closes its connections afterwards.
  ///
  /// - Throws: `RegistryError` when the authorities cannot be read, and whatever `body` throws.
  public static func withClient<Result>(
    _ configuration: Configuration = Configuration(),
    _ body: (RegistryClient) async throws -> Result
  ) async throws -> Result {
    let settings = try configuration.httpSettings()
    var patientSettings = settings
    patientSettings.timeout.read = TimeAmount(configuration.commitTimeout)
    return try await HTTPClient.withHTTPClient(configuration: settings) { http in
      try await HTTPClient.withHTTPClient(configuration: patientSettings) { patientHTTP in
        try await body(
          RegistryClient(configuration: configuration, http: http, patientHTTP: patientHTTP))
      }
    }
  }

  private init(configuration: Configuration, http: HTTPClient, patientHTTP: HTTPClient) {
    self.configuration = configuration
    self.http = http
    self.patientHTTP = patientHTTP
  }

  /// Checks that a registry is there and lets this client in.
  ///
  /// - Parameter host: as references write it.
  /// - Throws: `RegistryError`.
  public func ping(_ host: String) async throws {
    guard RegistryHost(host) != nil else {
      throw RegistryError(.malformedReference, "'\(host.inMessage)'", "is no host name")
    }
    let request = RegistryRequest(
      .GET, try Endpoint(registry: host, configuration).url("/v2/"), subject: host)
    try await exchange(request, accepting: [200]) { response in
      try await response.discardBody()
    }
  }
}

extension RegistryClient.Configuration {
  /// - Throws: `RegistryError` when the authorities cannot be read.
  fileprivate func httpSettings() throws(RegistryError) -> HTTPClient.Configuration {
    var settings = HTTPClient.Configuration(
      // Redirects are followed by hand, because they decide where credentials go.
      redirectConfiguration: .disallow,
      timeout: HTTPClient.Configuration.Timeout(
        connect: TimeAmount(connectTimeout), read: TimeAmount(idleTimeout),
        write: TimeAmount(idleTimeout)))
    // Failures are counted and reported in one place, which is not inside the connection pool.
    settings.connectionPool.retryConnectionEstablishment = false
    guard let authorities else { return settings }
    var tls = TLSConfiguration.makeClientConfiguration()
    do {
      tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities.string))
    } catch {
      throw RegistryError(
        .malformedCredentials, authorities.string, "holds no certificates in PEM form")
    }
    settings.tlsConfiguration = tls
    return settings
  }
}
