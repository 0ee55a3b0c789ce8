import Adapters
import Files
import JSON
import Models
import SystemPackage

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
      states.append((path, try path.fileState()))
    }
    self.states = states
  }

  var json: JSONValue {
    .object(JSONObject(states.map { ($0.path.string, .string($0.state)) }))
  }

  /// The first file that is not what it was; nil when all are.
  var changedPath: FilePath? {
    states.first { entry in (try? entry.path.fileState()) != entry.state }?.path
  }
}

extension FilePath {
  /// The file itself, or the files in a directory.
  fileprivate func regularFiles() throws(FileError) -> [FilePath] {
    guard isDirectory else { return [self] }
    return try directoryEntries().map { appending($0) }.filter(\.isRegularFile)
  }
}
