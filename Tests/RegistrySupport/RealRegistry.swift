import Files
import Foundation
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
      let storage = folder.appending("storage")
      var lines = [
        "version: 0.1", "log: {level: info, accesslog: {disabled: true}}", "storage:",
        "  filesystem: {rootdirectory: \(storage)}", "http:", "  addr: 127.0.0.1:0",
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
      let log = folder.appending("log")
      try log.overwrite("")
      process.standardError = FileHandle(forWritingAtPath: log.string)
      try process.run()
      defer {
        process.terminate()
        process.waitUntilExit()
      }
      let port = try await port(in: log, of: process)
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

  /// The port that a registry has found free, when it has said so.
  ///
  /// It chooses the port itself: one that is chosen for it may be taken by another test before it
  /// listens.
  private static func port(in log: FilePath, of process: Process) async throws -> Int {
    for _ in 0..<6000 where process.isRunning {
      let lines = try log.readText().split(separator: "listening on 127.0.0.1:")
      if lines.count == 2, let port = lines[1].firstMatch(of: /^(\d+)[^\d]/)?.1 {
        return Int(port) ?? 0
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw NotListening(log: try log.readText())
  }
}

/// A registry that was started and cannot be reached.
private struct NotListening: Error {
  let log: String
}
