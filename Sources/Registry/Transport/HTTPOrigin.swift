#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The server behind an address: scheme, host and port.
///
/// Secrets of one are no business of another.
struct HTTPOrigin: Sendable, Hashable {
  let isEncrypted: Bool
  /// In lower case, without brackets.
  let host: String
  let port: Int

  /// Nil when `url` is no `http` or `https` address.
  init?(_ url: URL) {
    switch url.scheme?.lowercased() {
    case "https": isEncrypted = true
    case "http": isEncrypted = false
    default: return nil
    }
    guard var host = url.host()?.lowercased(), !host.isEmpty else { return nil }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    self.host = host
    port = url.port ?? (isEncrypted ? 443 : 80)
  }

  /// Whether what is sent there stays on this machine.
  var isLoopback: Bool { RegistryHost.isLoopback(host) }

  /// Whether a password for `registry` may also be sent here, for a token.
  ///
  /// A registry names its token server itself. Of those, the registry's host is trusted, and its
  /// neighbours under the domain that the registry's name is in (`auth.docker.io` for
  /// `registry-1.docker.io`, `gitlab.com` for `registry.gitlab.com`); others have to be named.
  func isNeighbour(of registry: HTTPOrigin) -> Bool {
    if host == registry.host { return true }
    let domain = registry.host.split(separator: ".").dropFirst()
    // An address has no domain, and one label is nobody's own.
    guard domain.count >= 2, domain.last?.contains(where: \.isLetter) == true else { return false }
    let suffix = domain.joined(separator: ".")
    return host == suffix || host.hasSuffix("." + suffix)
  }
}
