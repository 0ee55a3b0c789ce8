public import Files
public import SystemPackage

/// A file that is not JSON, with its path.
public struct JSONFileError: FlareError {
  public let path: FilePath
  public let defect: JSONError

  public var kind: FailureKind { .badInput }
  public var description: String { "\(path): not JSON: \(defect)" }
}

extension JSONValue {
  /// Parses the file at `path`.
  ///
  /// - Throws: `FileError` when it cannot be read, `JSONFileError` when it is not JSON.
  public init(contentsOf path: FilePath) throws {
    let file = try MappedFile(path)
    do {
      self = try JSONValue(parsing: Span(_bytes: file.bytes))
    } catch {
      throw JSONFileError(path: path, defect: error)
    }
  }
}
