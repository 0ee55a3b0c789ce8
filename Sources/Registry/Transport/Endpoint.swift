#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The addresses of one registry.
struct Endpoint: Sendable {
  let origin: HTTPOrigin
  private let base: URL

  /// - Parameter registry: the host, as references write it.
  init(
    registry: String, _ configuration: RegistryClient.Configuration
  ) throws(RegistryError) {
    let scheme = configuration.usesPlainHTTP ? "http" : "https"
    guard let base = URL(string: "\(scheme)://\(registry)", encodingInvalidCharacters: false),
      let origin = HTTPOrigin(base)
    else { throw RegistryError(.malformedReference, registry, "is no address of a registry") }
    self.base = base
    self.origin = origin
  }

  /// - Parameter path: begins with `/`, needs no escaping.
  func url(_ path: String) throws(RegistryError) -> URL {
    guard let url = URL(string: base.absoluteString + path, encodingInvalidCharacters: false) else {
      throw RegistryError(.malformedReference, base.absoluteString, "has no place '\(path)'")
    }
    return url
  }
}

extension RegistryReference {
  /// The address of a part of the repository, such as `blobs/sha256:…`.
  func url(
    _ part: String, _ configuration: RegistryClient.Configuration
  ) throws(RegistryError) -> URL {
    try Endpoint(registry: host, configuration).url("/v2/\(repository)/\(part)")
  }
}
