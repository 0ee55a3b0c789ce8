import Adapters
import Files
import JSON
import SystemPackage

/// A destination in the making: a folder `NAME.partial` beside it, which a later run can go on with.
///
/// It holds a journal and, under `files`, what is written. At the end the files get their names by a
/// rename each. So the destination is never half there: it is absent, whole, or a partial beside it.
final class PartialOutput: OutputDirectory, Sendable {
  let destination: FilePath
  /// The folder that a failed run leaves.
  let path: FilePath
  /// Whether another run had finished but for the last names.
  let isComplete: Bool
  private let journal: Journal
  private let mayReplace: Bool
  private let form: Form

  enum Form: Sendable {
    case directory
    /// Files of these names beside each other, of which readers open the first.
    case files([String])
  }

  /// The folder that an unfinished run for `destination` leaves.
  static func path(for destination: FilePath) -> FilePath {
    // Cut, because a name of the greatest length could not be made longer.
    var name = destination.lastComponent?.string ?? "output"
    while name.utf8.count > 200 { name.removeLast() }
    return destination.removingLastComponent().appending("\(name).partial")
  }

  /// Starts, or goes on with, what will be at `destination`.
  ///
  /// - Parameters:
  ///   - header: what was asked for, which has to be what an earlier run was asked for.
  ///   - resumes: whether an earlier run may be gone on with.
  /// - Throws: `ConversionError` when there is an earlier run that may not, or cannot, be gone on
  ///   with, `FileError` when the folder cannot be written.
  init(
    _ destination: FilePath, _ form: Form, header: JSONObject, resumes: Bool, mayReplace: Bool
  ) throws {
    self.destination = destination
    self.form = form
    self.mayReplace = mayReplace
    path = Self.path(for: destination)
    try Self.checkResumable(destination, resumes: resumes)
    _ = try makeDirectories(
      FilePath(path.lastComponent?.string ?? ""), in: path.removingLastComponent(),
      for: destination)
    journal = try Journal(
      path.appending(Journal.fileName), header: header, of: destination)
    isComplete = journal.entries.contains(.complete)
    PendingOutputs.insert(path)
    if journal.hasCheckpoints { PendingOutputs.keep(path) }
    guard !isComplete else { return }
    _ = try makeDirectories(FilePath(Self.filesName), in: path, for: destination)
    try keepOnly(Set(checkpointedFiles), in: files, "")
  }

  /// The files that the journal speaks of.
  private var checkpointedFiles: [String] {
    journal.entries.compactMap {
      if case .checkpoint(let file, _, _) = $0 { file } else { nil }
    }
  }

  /// Removes what an earlier run left half-written and this one makes anew.
  private func keepOnly(
    _ names: Set<String>, in folder: FilePath, _ prefix: String
  ) throws(FileError) {
    for entry in try folder.directoryEntries() where !names.contains(prefix + entry) {
      let path = folder.appending(entry)
      if path.isDirectory && !path.isLink {
        try keepOnly(names, in: path, "\(prefix)\(entry)/")
      } else {
        removeTree(path)
      }
    }
  }

  /// Whether an earlier run had finished but for the last names.
  static func isFinished(at destination: FilePath) -> Bool {
    Journal.entries(at: path(for: destination).appending(Journal.fileName)).contains(.complete)
  }

  /// Checks that there is no earlier run unless it may be gone on with, and nothing else in its place.
  static func checkResumable(
    _ destination: FilePath, resumes: Bool
  ) throws(ConversionError) {
    let path = path(for: destination)
    if path.isLink || path.exists && !path.isDirectory {
      throw ConversionError(
        .cannotWrite,
        "\(path): is where a run for '\(destination)' puts its files, and is no folder. Move it away, or "
          + "choose another destination")
    }
    if let name = foreignEntry(of: path) {
      throw ConversionError(
        .cannotWrite,
        "\(path): is where a run for '\(destination)' puts its files, and holds '\(name)', which is of no "
          + "such run. Move it away, or choose another destination")
    }
    guard !resumes, path.exists, holdsWork(path) else { return }
    throw ConversionError(
      .cannotWrite,
      "\(destination): an earlier run did not finish and left '\(path)'. Pass --resume to go on "
        + "with it, or remove it to start over")
  }

  /// Whether there is something that a run could go on with, and not just the traces of one that ended
  /// at once.
  private static func holdsWork(_ path: FilePath) -> Bool {
    Journal.entries(at: path.appending(Journal.fileName)).holdWork
  }

  /// Something in the folder that no run left there: it would be removed with the folder in the end.
  private static func foreignEntry(of path: FilePath) -> String? {
    let names = (try? path.directoryEntries()) ?? []
    // The journal is there before anything else.
    let own = names.contains(Journal.fileName) ? [Journal.fileName, filesName] : []
    return names.first { !own.contains($0) }
  }

  private static let filesName = "files"

  private var files: FilePath { path.appending(Self.filesName) }

  /// What earlier runs measured of tensors that they wrote.
  var measurements: [MergeMeasurements.Record] {
    journal.entries.compactMap {
      if case .measurement(let record) = $0 { record } else { nil }
    }
  }

  /// Opens a large file, with what earlier runs wrote of it.
  ///
  /// - Parameters:
  ///   - checkpointByteCount: bytes between two points that a later run can go on from.
  ///   - firstHashedByte: behind what is rewritten at the end.
  ///   - pieceByteCount: the bytes of the pieces whose hashes are wanted too, if any.
  func partialFile(
    _ name: String, checkpointByteCount: Int, firstHashedByte: Int = 0, pieceByteCount: Int? = nil
  ) throws(FileError) -> PartialFile {
    var checkpoints: [Int: String] = [:]
    for case .checkpoint(name, let byteCount, let sha256) in journal.entries {
      checkpoints[byteCount] = sha256
    }
    let place = FilePath(name)
    let folder = try makeDirectories(place.removingLastComponent(), in: files, for: destination)
    return try PartialFile(
      folder.appending(place.lastComponent?.string ?? ""), named: name,
      reportedAs: reportedPath(place), checkpoints: checkpoints,
      checkpointByteCount: checkpointByteCount, firstHashedByte: firstHashedByte,
      pieceByteCount: pieceByteCount, journal: journal)
  }

  /// Starts a small file, anew when an earlier run wrote it.
  func newFile(_ name: FilePath) throws(FileError) -> NewFile {
    let folder = try makeDirectories(name.removingLastComponent(), in: files, for: destination)
    return try NewFile(
      folder.appending(name.lastComponent?.string ?? ""), reportedAs: reportedPath(name),
      mayReplace: true)
  }

  private func reportedPath(_ name: FilePath) -> FilePath {
    switch form {
    case .directory: destination.pushing(name)
    case .files: destination.removingLastComponent().pushing(name)
    }
  }

  /// Notes what was measured of a tensor, before the checkpoint that covers its last byte.
  func record(_ measurement: MergeMeasurements.Record) throws(FileError) {
    try journal.append(.measurement(measurement))
  }

  /// Gives all files their names and removes the folder.
  func commit() throws(FileError) {
    if !isComplete {
      syncDirectory(files)
      try journal.append(.complete)
    }
    switch form {
    case .directory:
      if files.exists { try files.becomeDirectory(at: destination, mayReplace: mayReplace) }
    case .files(let names):
      let folder = destination.removingLastComponent()
      // The first one last: who opens it finds all others.
      for name in names.reversed() {
        let file = files.appending(name)
        guard file.exists else { continue }
        try file.becomeFile(at: folder.appending(name), mayReplace: mayReplace)
      }
      syncDirectory(folder)
    }
    discard()
  }

  /// Removes everything.
  func discard() {
    removeTree(path)
    PendingOutputs.remove(path)
  }

  /// Whether a later run would find something to go on with.
  var isWorthKeeping: Bool { journal.hasCheckpoints }
}
