public import Files
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

/// A file with these bytes for the time of `body`.
public func withFile<Result>(
  _ bytes: [UInt8], _ body: (MappedFile) throws -> Result
) throws -> Result {
  try withTemporaryDirectory { directory in
    let path = directory.appending("file")
    try path.overwrite(bytes)
    return try body(MappedFile(path))
  }
}
