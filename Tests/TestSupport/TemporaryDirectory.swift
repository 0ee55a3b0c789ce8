import Files
public import SystemPackage

/// Runs `body` with a new empty directory and removes it afterwards, whatever happened.
public func withTemporaryDirectory<Result>(
  _ body: (FilePath) throws -> Result
) throws -> Result {
  let directory = try TemporaryDirectory()
  return try withExtendedLifetime(directory) { try body(directory.path) }
}
