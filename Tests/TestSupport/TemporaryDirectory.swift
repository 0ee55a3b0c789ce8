import Files
public import SystemPackage

/// Runs `body` with a new empty directory and removes it afterwards, whatever happened.
public func withTemporaryDirectory<Result>(
  _ body: (FilePath) throws -> Result
) throws -> Result {
  let directory = try TemporaryDirectory()
  return try withExtendedLifetime(directory) { try body(directory.path) }
}

/// Runs an asynchronous `body` with a new empty directory and removes it afterwards.
public func withTemporaryDirectory<Result>(
  isolation: isolated (any Actor)? = #isolation, _ body: (FilePath) async throws -> Result
) async throws -> Result {
  let directory = try TemporaryDirectory()
  let result = try await body(directory.path)
  withExtendedLifetime(directory) {}
  return result
}
