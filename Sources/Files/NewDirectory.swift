public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A directory that appears whole or not at all, as `NewFile` does for one file.
///
/// Files are written under `temporaryPath`, a hidden sibling of the destination; `commit` renames
/// it. Dropped without `commit`, it removes all it holds.
public final class NewDirectory {
  public let path: FilePath
  /// Where the files go until `commit`.
  public let temporaryPath: FilePath
  private let mayReplace: Bool
  private var isOpen = true

  /// Starts a directory that will be at `path`.
  ///
  /// - Parameter mayReplace: whether a directory that is already there may be replaced, with all
  ///   it holds.
  /// - Throws: `FileError` when something is there, or the parent folder cannot be written.
  public init(_ path: FilePath, mayReplace: Bool = false) throws(FileError) {
    guard mayReplace || !path.isOccupied else { throw FileError(.exists, path) }
    self.path = path
    self.mayReplace = mayReplace
    temporaryPath = path.temporarySibling
    try makeDirectory(temporaryPath, for: path)
    PendingOutputs.insert(temporaryPath)
  }

  deinit {
    guard isOpen else { return }
    removeTree(temporaryPath)
    PendingOutputs.remove(temporaryPath)
  }

  /// Makes a folder inside, with its parents, and returns its temporary path.
  public func makeSubdirectory(_ name: FilePath) throws(FileError) -> FilePath {
    try makeDirectories(name, in: temporaryPath, for: path)
  }

  /// Starts a file inside, in a folder that is made when needed.
  ///
  /// Errors name the place that the file would have had after `commit`.
  public func newFile(_ name: FilePath) throws(FileError) -> NewFile {
    let folder = try makeSubdirectory(name.removingLastComponent())
    let file = name.lastComponent.map { folder.appending($0) } ?? folder
    return try NewFile(file, reportedAs: path.pushing(name), mayReplace: false)
  }

  /// Puts the directory in its place.
  public func commit() throws(FileError) {
    precondition(isOpen, "Directory already committed")
    syncDirectory(temporaryPath)
    try temporaryPath.becomeDirectory(at: path, mayReplace: mayReplace)
    isOpen = false
    PendingOutputs.remove(temporaryPath)
  }
}

extension NewDirectory: OutputDirectory {}

extension FilePath {
  /// Gives the directory at this path the name `destination`, durably.
  ///
  /// - Parameter mayReplace: whether a directory that is there gives way, with all it holds.
  /// - Throws: `FileError` when something is there, or the parent folder cannot be written; what was
  ///   at either path is then still there.
  package func becomeDirectory(
    at destination: FilePath, mayReplace: Bool
  ) throws(FileError) {
    // A directory that is not empty cannot be renamed over: the old one steps aside first, so that
    // a crash between the two renames loses neither.
    let displaced =
      mayReplace && destination.isOccupied ? destination.temporarySibling : nil
    func move(_ source: FilePath, to place: FilePath) throws(FileError) {
      guard unsafe rename(source.string, place.string) == 0 else {
        throw FileError(writing: destination, Errno(rawValue: errno))
      }
    }
    if let displaced { try move(destination, to: displaced) }
    do {
      try move(self, to: destination)
    } catch {
      if let displaced { try move(displaced, to: destination) }
      throw error
    }
    syncDirectory(destination.removingLastComponent())
    if let displaced { removeTree(displaced) }
  }
}

/// Makes the folder `name` in the directory `parent`, with the folders between; some may exist.
///
/// - Parameter destination: what an error is about.
/// - Returns: the path of the folder.
package func makeDirectories(
  _ name: FilePath, in parent: FilePath, for destination: FilePath
) throws(FileError) -> FilePath {
  var current = parent
  for component in name.components {
    precondition(component.kind == .regular, "Path leaves the directory")
    current.append(component)
    if !current.exists { try makeDirectory(current, for: destination) }
  }
  return current
}

private func makeDirectory(_ path: FilePath, for destination: FilePath) throws(FileError) {
  guard unsafe mkdir(path.string, 0o755) == 0 else {
    throw FileError(writing: destination, Errno(rawValue: errno))
  }
}
