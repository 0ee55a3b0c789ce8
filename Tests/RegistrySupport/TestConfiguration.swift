public import Registry

extension RegistryClient.Configuration {
  /// For a server of a test: without TLS, quick to try again, and never out of patience.
  ///
  /// Each step of a test waits for a thread behind hundreds of tests that compute, so that silence
  /// says nothing about the server.
  public static var test: Self {
    var configuration = Self()
    configuration.usesPlainHTTP = true
    configuration.retries.firstDelay = .milliseconds(2)
    configuration.connectTimeout = .seconds(3600)
    configuration.idleTimeout = .seconds(3600)
    configuration.commitTimeout = .seconds(3600)
    return configuration
  }
}
