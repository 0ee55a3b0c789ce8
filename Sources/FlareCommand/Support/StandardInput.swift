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
