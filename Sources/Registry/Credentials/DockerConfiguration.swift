import Files
import JSON
public import SystemPackage

/// The credentials that `docker login`, `podman login` or `oras login` wrote into a `config.json`.
///
/// Only what stands in the file itself is read. Programs that it names as keepers of secrets
/// (`credsStore`, `credHelpers`) are not run, and identity tokens are not exchanged.
public struct DockerConfiguration: Sendable {
  let path: FilePath
  private let entries: JSONObject

  /// Reads the file at `path`.
  ///
  /// - Throws: `FileError`, `JSONFileError`, or `RegistryError` when it is of another shape.
  public init(_ path: FilePath) throws {
    self.path = path
    do {
      let fields = try JSONFields(JSONValue(contentsOf: path), subject: path.string)
      entries = try fields.fields("auths")?.members ?? [:]
    } catch let error as JSONFieldError {
      throw RegistryError(.malformedCredentials, "credentials", error.description)
    }
  }

  /// Where such a file is: in `DOCKER_CONFIG`, or in `.docker` at home; nil when there is none.
  public static func defaultPath(environment: [String: String]) -> FilePath? {
    let folder: FilePath
    if let named = environment["DOCKER_CONFIG"], !named.isEmpty {
      folder = FilePath(named)
    } else if let home = environment["HOME"], !home.isEmpty {
      folder = FilePath(home).appending(".docker")
    } else {
      return nil
    }
    let path = folder.appending("config.json")
    return path.exists ? path : nil
  }

  /// The credentials for `host`; nil when the file holds none.
  ///
  /// - Throws: `RegistryError` when an entry for the host cannot be read.
  public func credentials(for host: String) throws(RegistryError) -> RegistryCredentials? {
    guard let entry = entries.first(where: { Self.host(of: $0.key) == host.lowercased() }) else {
      return nil
    }
    do {
      let fields = try JSONFields(entry.value, subject: "\(path): 'auths': '\(entry.key)'")
      guard let encoded = try fields.optional("auth", as: String.self), !encoded.isEmpty else {
        let user = try fields.optional("username", as: String.self)
        let password = try fields.optional("password", as: String.self)
        // An empty entry only says that a helper keeps the secret.
        guard let user, let password else { return nil }
        return try RegistryCredentials(host: host, user: user, password: password)
      }
      guard let (user, password) = Base64.decode(encoded)?.cut(at: ":"), let password else {
        throw RegistryError(
          .malformedCredentials, fields.subject, "'auth' is not the base64 of USER:PASSWORD")
      }
      return try RegistryCredentials(host: host, user: user, password: password)
    } catch let error as RegistryError {
      throw error
    } catch {
      throw RegistryError(.malformedCredentials, "credentials", "\(error)")
    }
  }

  /// The registry that a key of `auths` means: keys are hosts, or addresses with scheme and path.
  private static func host(of key: String) -> String {
    // Docker's own registry, under the name that it had in its first version.
    if key == "https://index.docker.io/v1/" { return "registry-1.docker.io" }
    let address = ["https://", "http://"].first(where: key.hasPrefix).map {
      String(key.dropFirst($0.count))
    }
    return (address ?? key).cut(at: "/").0.lowercased()
  }
}

extension RegistryCredentials {
  /// The credentials for `host` in the environment, or else in Docker's `config.json`; nil when
  /// there are none.
  ///
  /// - Throws: `RegistryError`, `FileError` or `JSONFileError` when what is there cannot be read.
  public static func find(
    for host: String, environment: [String: String]
  ) throws -> RegistryCredentials? {
    if let found = try RegistryCredentials(for: host, environment: environment) { return found }
    return try DockerConfiguration.defaultPath(environment: environment)
      .flatMap { try DockerConfiguration($0).credentials(for: host) }
  }
}
