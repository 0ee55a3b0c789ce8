import Adapters
import Files
import JSON
import Models
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The files that a conversion reads, as they were when it was planned.
struct SourceFiles: Sendable {
  /// What is known of each, by path.
  private let states: [(path: FilePath, state: String)]

  /// - Throws: `FileError` when one is not there.
  init(of request: ConversionRequest) throws(FileError) {
    var paths = request.model.sourcePaths
    for path in request.model.adapterPaths + request.adapters.map(\.adapter.path) {
      paths += try path.regularFiles()
    }
    var states: [(FilePath, String)] = []
    for path in Set(paths).sorted(by: { $0.string < $1.string }) {
      states.append((path, try Self.state(of: path)))
    }
    self.states = states
  }

  /// Size, time of change and number of a file: what tells whether it is still the same.
  private static func state(of path: FilePath) throws(FileError) -> String {
    do {
      let status = try path.stat()
      let time = status.st_mtim
      return "\(status.size) bytes, modified \(time.tv_sec) s \(time.tv_nsec) ns, file "
        + "\(status.inode.rawValue)"
    } catch {
      throw FileError(reading: path, error)
    }
  }

  var json: JSONValue {
    .object(JSONObject(states.map { ($0.path.string, .string($0.state)) }))
  }

  /// The first file that is not what it was; nil when all are.
  var changedPath: FilePath? {
    states.first { entry in (try? Self.state(of: entry.path)) != entry.state }?.path
  }
}

extension FilePath {
  /// The file itself, or the files in a directory.
  fileprivate func regularFiles() throws(FileError) -> [FilePath] {
    guard isDirectory else { return [self] }
    return try directoryEntries().map { appending($0) }.filter(\.isRegularFile)
  }
}
