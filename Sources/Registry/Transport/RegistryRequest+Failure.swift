import AsyncHTTPClient
import Files
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SystemPackage

extension RegistryRequest {
  /// What an error in the middle of an exchange means: an `Interruption` when the request may
  /// succeed later, an error that says what to do otherwise.
  func failure(_ error: any Error) -> any Error {
    switch error {
    case is Interruption, is any FlareError, is CancellationError: return error
    case _ where Task.isCancelled: return CancellationError()
    case let error as NIOConnectionError: return connectionFailure(error)
    case let error as HTTPClientError where Self.passing.contains(error):
      return interruption("\(error.shortDescription)")
    case let error as IOError: return interruption(Self.reason(error))
    case is ChannelError: return interruption("the connection broke off (\(error))")
    case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection:
      return interruption("the connection broke off")
    case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
      return RegistryError(
        .unreachable, subject,
        "TLS failed (\(Self.withoutPlaces("\(error)").inMessage)). For a private authority give its "
          + "certificate (--authorities); for a registry without TLS ask for that (--plain-http)")
    default:
      return RegistryError(.unreachable, subject, "the exchange failed (\("\(error)".inMessage))")
    }
  }

  /// The text without the places in BoringSSL's source, which say nothing to whoever reads it.
  private static func withoutPlaces(_ text: String) -> String {
    text.replacing(#/(at )?\S*\/\S+\.(cc|c|h):\d+/#, with: "")
  }

  private static let passing: [HTTPClientError] = [
    .connectTimeout, .readTimeout, .writeTimeout, .remoteConnectionClosed, .tlsHandshakeTimeout,
    .deadlineExceeded, .getConnectionFromPoolTimeout, .requestStreamCancelled, .uncleanShutdown,
  ]

  private func interruption(_ reason: String) -> Interruption {
    Interruption(error: RegistryError(.unreachable, subject, reason.inMessage))
  }

  /// A failure to reach any of the addresses that a name stands for.
  private func connectionFailure(_ error: NIOConnectionError) -> any Error {
    guard let first = error.connectionErrors.first?.error else {
      return RegistryError(
        .unreachable, subject, "the host '\(error.host.inMessage)' is not known")
    }
    return interruption((first as? IOError).map(Self.reason) ?? "no connection (\(first))")
  }

  private static func reason(_ error: IOError) -> String {
    let errno = Errno(rawValue: error.errnoCode)
    return errno == .connectionRefused
      ? "nothing answers there (\(errno))" : "the connection broke off (\(errno))"
  }
}
