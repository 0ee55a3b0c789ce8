import Foundation
public import SystemPackage

/// A program that was built with the tests, or is on the machine, run to its end.
public struct FinishedProcess {
  public let exitCode: Int32
  public let output: String
  public let errors: String

  /// Runs the product `name`, or the program at an absolute path, with `arguments`.
  ///
  /// - Parameter shellPrefix: shell commands before it, such as a limit on file sizes.
  public init(
    _ name: String, _ arguments: [String], in directory: FilePath? = nil,
    shellPrefix: String? = nil, environment: [String: String] = [:]
  ) throws {
    let program = Self.productDirectory.pushing(FilePath(name)).string
    let process = Process()
    if let shellPrefix {
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = ["-c", "\(shellPrefix); exec \"$0\" \"$@\"", program] + arguments
    } else {
      process.executableURL = URL(filePath: program)
      process.arguments = arguments
    }
    if let directory { process.currentDirectoryURL = URL(filePath: directory.string) }
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Errors are a few lines at most, so reading one pipe after the other cannot block.
    self.output = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    self.errors = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    exitCode = process.terminationStatus
  }

  /// Where the machine has a program of this name; nil when it has none.
  public static func tool(_ name: String) -> String? {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.map { "\($0)/\(name)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// Where the build put its products: the folder of the test program.
  private static var productDirectory: FilePath {
    FilePath(CommandLine.arguments[0]).removingLastComponent()
  }
}
