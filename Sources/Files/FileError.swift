public import SystemPackage

/// A failure of the file system, with the path and the remedy.
public struct FileError: FlareError {
  public enum Code: Sendable {
    case notFound
    case unreadable
    case notAFile
    case notADirectory
    /// The destination is there already and replacing it was not asked for.
    case exists
    /// Replacing was asked for, but what is there is not of the kind that is being written, or is
    /// being read.
    case notReplaceable
    case cannotWrite
    case noSpace
  }

  public let code: Code
  public let path: FilePath
  /// What the system said, when there is more to say than the code.
  public let detail: String?

  public init(_ code: Code, _ path: FilePath, detail: String? = nil) {
    self.code = code
    self.path = path
    self.detail = detail
  }

  /// The failure of reading `path` with the system's error `errno`.
  package init(reading path: FilePath, _ errno: Errno) {
    switch errno {
    case .noSuchFileOrDirectory: self.init(.notFound, path)
    case .notDirectory: self.init(.notADirectory, path)
    default: self.init(.unreadable, path, detail: errno.description)
    }
  }

  /// The failure of writing `path` with the system's error `errno`.
  package init(writing path: FilePath, _ errno: Errno) {
    switch errno {
    case .noSpace: self.init(.noSpace, path)
    case .fileExists, .directoryNotEmpty: self.init(.exists, path)
    default: self.init(.cannotWrite, path, detail: errno.description)
    }
  }

  public var kind: FailureKind {
    switch code {
    case .notFound, .unreadable, .notAFile, .notADirectory: .badInput
    case .exists, .notReplaceable, .cannotWrite, .noSpace: .cannotWrite
    }
  }

  public var description: String {
    let reason = detail.map { ": \($0)" } ?? ""
    return switch code {
    case .notFound: "\(path): no such file or directory"
    case .unreadable: "\(path): cannot be read\(reason)"
    case .notAFile: "\(path): not a regular file"
    case .notADirectory: "\(path): not a directory"
    case .exists: "\(path): already exists. Choose another path or pass --overwrite"
    case .notReplaceable:
      "\(path): is not written\(reason). Choose another path"
    case .cannotWrite: "\(path): cannot be written\(reason)"
    case .noSpace:
      "\(path): no space left on the device\(reason). Free some space or choose another device"
    }
  }
}
