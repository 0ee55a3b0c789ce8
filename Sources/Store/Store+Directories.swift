import Bundles
import Files
import Registry
public import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Store {
  /// The directory of links for what a record lists.
  public func directory(of record: StoreRecord) -> FilePath {
    bundles.appending(record.directoryName)
  }

  /// Makes the directory of links, or makes it anew when one leads to another file than the blob, or there
  /// is something else in it.
  ///
  /// - Parameter check: told of the directory before it gets its name.
  /// - Throws: `FileError`, or what `check` throws; nothing is left then.
  func makeDirectory(
    of record: StoreRecord, check: (FilePath) throws -> Void = { _ in }
  ) throws {
    let place = directory(of: record)
    if place.isDirectory, record.files.allSatisfy({ isLinked($0, in: place) }),
      try place.filesBelow().count == record.files.count
    {
      return try check(place)
    }
    let directory = try NewDirectory(place, mayReplace: true)
    for file in record.files {
      let path = FilePath(file.path)
      let folder = try directory.makeSubdirectory(path.removingLastComponent())
      try makeLink(
        to: file, as: path.lastComponent.map { folder.appending($0) } ?? folder, at: path)
    }
    try check(directory.temporaryPath)
    try directory.commit()
  }

  /// A hard link, which every program takes for the file itself; a symbolic one where the system gives
  /// no more hard ones.
  private func makeLink(
    to file: StoredFile, as target: FilePath, at path: FilePath
  ) throws(FileError) {
    guard unsafe link(self.path(of: file.digest).string, target.string) != 0 else { return }
    let failure = Errno(rawValue: errno)
    guard [.tooManyLinks, .notSupported, .notPermitted].contains(failure) else {
      // On a file system that ignores case, two paths can be one file.
      throw FileError(writing: target, failure)
    }
    // Relative, so that a store can be moved as a whole.
    let up = String(repeating: "../", count: path.components.count + 1)
    guard unsafe symlink("\(up)blobs/sha256/\(file.digest.hexadecimal)", target.string) == 0 else {
      throw FileError(writing: target, Errno(rawValue: errno))
    }
  }

  private func isLinked(_ file: StoredFile, in directory: FilePath) -> Bool {
    let place = directory.pushing(FilePath(file.path))
    guard let here = try? place.stat(), let blob = try? path(of: file.digest).stat() else {
      return false
    }
    return here.inode == blob.inode && here.deviceID == blob.deviceID
  }
}
