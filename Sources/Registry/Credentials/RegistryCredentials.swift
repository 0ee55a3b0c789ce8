/// A user and a password, and the one registry that they are for.
public struct RegistryCredentials: Sendable, Hashable {
  /// The host with its port, as references write it.
  public let host: String
  public let user: String
  let password: String

  /// - Throws: `RegistryError` when the user cannot be sent: the scheme ends it at the first `:`.
  public init(host: String, user: String, password: String) throws(RegistryError) {
    guard !user.isEmpty, !user.contains(":") else {
      throw RegistryError(
        .malformedCredentials, host, "the user '\(user.inMessage)' is empty or has a ':'")
    }
    self.host = host.lowercased()
    self.user = user
    self.password = password
  }

  /// The value of the header `Authorization`.
  var basicAuthorization: String { "Basic " + Base64.encode("\(user):\(password)") }
}

extension RegistryCredentials: CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  // A password that is printed by accident is a password lost.
  public var description: String { "\(user) at \(host)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: ["host": host, "user": user]) }
}

extension RegistryCredentials {
  /// The variables that hold the user and the password.
  public static let environmentNames = (
    user: "FLARE_REGISTRY_USER", password: "FLARE_REGISTRY_PASSWORD"
  )

  /// The credentials in the environment, taken to be for `host`; nil when it has none.
  ///
  /// - Throws: `RegistryError` when it has only half of them.
  public init?(for host: String, environment: [String: String]) throws(RegistryError) {
    let names = Self.environmentNames
    let user = environment[names.user] ?? ""
    let password = environment[names.password] ?? ""
    if user.isEmpty && password.isEmpty { return nil }
    guard !user.isEmpty, !password.isEmpty else {
      let (there, missing) =
        user.isEmpty ? (names.password, names.user) : (names.user, names.password)
      throw RegistryError(.malformedCredentials, host, "\(there) is set and \(missing) is not")
    }
    try self.init(host: host, user: user, password: password)
  }
}
