import Files
import JSON
import SystemPackage

extension FileDescriptor {
  /// All bytes that are left.
  func readToEnd() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try unsafe chunk.withUnsafeMutableBytes { try unsafe read(into: $0) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }
}

extension String {
  /// The text in a file, or on standard input for '-'.
  ///
  /// - Throws: `FileError` when there is no such file, `InputTextError` when it is no UTF-8 text.
  init(contentsOfInput path: FilePath) throws {
    let bytes: [UInt8]
    if path == "-" {
      bytes = try FileDescriptor.standardInput.readToEnd()
    } else {
      let file = try MappedFile(path)
      bytes = unsafe file.bytes.withUnsafeBytes { unsafe Array($0) }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InputTextError(path: path)
    }
    self = text
  }
}

/// Input that is no text.
struct InputTextError: FlareError {
  let path: FilePath
  var kind: FailureKind { .badInput }
  var description: String {
    "\(path == "-" ? "standard input" : path.string): is not UTF-8 text"
  }
}

/// A document on standard input that is not JSON.
struct StandardInputError: FlareError {
  let defect: JSONError
  var kind: FailureKind { .badInput }
  var description: String { "standard input: not JSON: \(defect)" }
}

extension JSONValue {
  /// The document in a file, or on standard input for '-'.
  init(contentsOfInput path: FilePath) throws {
    guard path == "-" else {
      self = try JSONValue(contentsOf: path)
      return
    }
    let bytes = try FileDescriptor.standardInput.readToEnd()
    do {
      self = try JSONValue(parsing: bytes.span)
    } catch {
      throw StandardInputError(defect: error)
    }
  }
}
