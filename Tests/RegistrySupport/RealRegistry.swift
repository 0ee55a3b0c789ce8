import Files
import Foundation
import NIOCore
import NIOPosix
public import SystemPackage
import TestSupport

/// Debian's `docker-registry`, run for a test on a free port of this machine.
public struct RealRegistry: Sendable {
  /// The host as references write it.
  public let host: String
  /// Where it keeps blobs and manifests.
  public let storage: FilePath

  /// Where the program is; nil when this machine does not have it (`tools/setup --tests` gets it).
  public static let program = find("docker-registry")
  public static var isHere: Bool { program != nil }

  /// The one user of a registry with a password file, and a password that is no plain word.
  public static let user = "ada"
  public static let password = "pass:word ü"
  // Made with `htpasswd -nbB`.
  private static let passwordFile =
    "ada:$2y$05$9c1G6wkv569pbSLjm/Gqi.io7R316ha.bn9VXcIOfA.llv6k/Ca2m\n"

  /// Runs `body` with an empty registry that ends when `body` does.
  ///
  /// - Parameters:
  ///   - needsPassword: whether it wants `user` and `password`.
  ///   - certificate: PEM files of a certificate and its key; without them it speaks no TLS.
  public static func with<Result>(
    needsPassword: Bool = false, certificate: (chain: FilePath, key: FilePath)? = nil,
    _ body: (RealRegistry) async throws -> Result
  ) async throws -> Result {
    try await withTemporaryDirectory { folder in
      let port = try await freePort()
      let storage = folder.appending("storage")
      var lines = [
        "version: 0.1", "log: {level: error, accesslog: {disabled: true}}", "storage:",
        "  filesystem: {rootdirectory: \(storage)}", "http:", "  addr: 127.0.0.1:\(port)",
      ]
      if let certificate {
        lines.append("  tls: {certificate: \(certificate.chain), key: \(certificate.key)}")
      }
      if needsPassword {
        try folder.appending("htpasswd").overwrite(passwordFile)
        lines.append("auth: {htpasswd: {realm: test, path: \(folder.appending("htpasswd"))}}")
      }
      let configuration = folder.appending("config.yml")
      try configuration.overwrite(lines.joined(separator: "\n") + "\n")

      let process = Process()
      process.executableURL = URL(filePath: program?.string ?? "docker-registry")
      process.arguments = ["serve", configuration.string]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      defer {
        process.terminate()
        process.waitUntilExit()
      }
      try await waitForListener(on: port)
      return try await body(RealRegistry(host: "127.0.0.1:\(port)", storage: storage))
    }
  }

  /// The file in which it keeps the blob with this SHA-256.
  public func blob(_ hexadecimal: String) -> FilePath {
    storage.pushing(
      FilePath(
        "docker/registry/v2/blobs/sha256/\(hexadecimal.prefix(2))/\(hexadecimal)/data"))
  }

  /// A program on the search path.
  public static func find(_ name: String) -> FilePath? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .map { FilePath(String($0)).appending(name) }.first { $0.isRegularFile }
  }

  /// A port that nobody listens on just now, below those that the system gives to other tests'
  /// listeners in the moment before the registry takes it.
  private static func freePort() async throws -> Int {
    for _ in 0..<20 {
      let port = Int.random(in: 20_000..<32_000)
      let server = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      guard let listener = try? await server.bind(host: "127.0.0.1", port: port).get() else {
        continue
      }
      try await listener.close()
      return port
    }
    throw NotListening(port: 0)
  }

  private static func waitForListener(on port: Int) async throws {
    for _ in 0..<200 {
      let client = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      if let channel = try? await client.connect(host: "127.0.0.1", port: port).get() {
        return channel.close(promise: nil)
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw NotListening(port: port)
  }
}

/// A registry that was started and cannot be reached.
private struct NotListening: Error {
  let port: Int
}
