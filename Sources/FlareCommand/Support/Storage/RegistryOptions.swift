import ArgumentParser
import Registry
import SystemPackage

/// Options of the commands that speak with a registry.
struct RegistryOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Speak HTTP without TLS: for a registry on this machine, and for tests."))
  var plainHTTP = false

  @Option(
    help: ArgumentHelp(
      "Trust the authorities in this PEM file in place of the system's.", valueName: "file"))
  var authorities: FilePath?

  @Option(
    help: ArgumentHelp(
      "A server that may be sent the password when the registry names it as the one that gives "
        + "tokens (repeatable).", valueName: "host"))
  var tokenHost: [String] = []

  /// What every help text says about users and passwords.
  static let credentialsHelp = """
    User and password are those of FLARE_REGISTRY_USER and FLARE_REGISTRY_PASSWORD, or what 'docker \
    login' left in config.json.
    """
}

extension RegistryOptions {
  /// Runs `body` with a client for the registry of a reference.
  func withClient<Result>(
    for reference: RegistryReference, _ body: (RegistryClient) async throws -> Result
  ) async throws -> Result {
    var configuration = RegistryClient.Configuration()
    configuration.usesPlainHTTP = plainHTTP
    configuration.authorities = authorities
    configuration.tokenHosts = Set(tokenHost)
    let names = RegistryCredentials.environmentNames
    let credentials = try RegistryCredentials.find(
      for: reference.host,
      environment: environment([names.user, names.password, "DOCKER_CONFIG", "HOME"]))
    configuration.credentials = credentials.map { [$0] } ?? []
    return try await RegistryClient.withClient(configuration, body)
  }
}
