import Adapters
import Files
import JSON
import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a conversion has done so far, a line of JSON for each step, appended as it goes.
///
/// `formats/partial.md` describes the lines. Nothing in it is trusted: what it says of a file is
/// checked against the file, so that lines which outlived the bytes they speak of do no harm.
final class Journal: Sendable {
  static let fileName = "journal"

  /// A line behind the first.
  enum Entry: Hashable {
    /// A file had `byteCount` bytes, whose SHA-256 is this.
    case checkpoint(file: String, byteCount: Int, sha256: String)
    /// What a merge measured of a tensor that is behind one of the next checkpoints.
    case measurement(MergeMeasurements.Record)
    /// All files are whole; what is missing is their names.
    case complete
  }

  let path: FilePath
  /// The lines that were there when the journal was opened.
  let entries: [Entry]
  private let descriptor: FileDescriptor
  private let checkpointCount: Mutex<Int>

  /// Opens the journal at `path`, or begins it.
  ///
  /// - Parameter header: what was asked for; the first line.
  /// - Throws: `FileError` when it cannot be written or is locked by another run, `ConversionError`
  ///   when it belongs to another request.
  init(_ path: FilePath, header: JSONObject, of destination: FilePath) throws {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch let error as Errno {
      throw FileError(.cannotWrite, path, detail: error.description)
    }
    do {
      guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        throw ConversionError(
          .cannotWrite, "\(destination): another run of flare is writing it at this moment")
      }
      let text = try Self.text(path)
      let found = try Self.entries(text, header: header, of: destination, path)
      entries = found.entries
      checkpointCount = Mutex(entries.count(where: \.isCheckpoint))
      // A line that a crash cut is dropped, so that the next one does not continue it.
      try descriptor.resize(to: Int64(found.byteCount))
      try descriptor.seek(offset: 0, from: .end)
      if found.byteCount == 0 { try append(JSONValue.object(header)) }
    } catch let error as Errno {
      try? descriptor.close()
      throw FileError(.cannotWrite, path, detail: error.description)
    } catch {
      try? descriptor.close()
      throw error
    }
  }

  deinit { try? descriptor.close() }

  func append(_ entry: Entry) throws(FileError) {
    // Before there is something to go on with in the file: an interrupt in between removes nothing.
    if entry.isCheckpoint { PendingOutputs.keep(path.removingLastComponent()) }
    try append(entry.json)
    if entry.isCheckpoint { checkpointCount.withLock { $0 += 1 } }
  }

  /// Whether any part of a file can be gone on with.
  var hasCheckpoints: Bool { checkpointCount.withLock { $0 > 0 } }

  private func append(_ line: JSONValue) throws(FileError) {
    do {
      try descriptor.writeAll((line.serialized() + "\n").utf8)
    } catch {
      throw FileError(writing: path, error)
    }
  }

  /// What the lines of the journal at `path` say, whatever was asked for.
  static func entries(at path: FilePath) -> [Entry] {
    entries(of: ((try? text(path)) ?? "").split(separator: "\n")[...])
  }

  private static func entries(of lines: ArraySlice<Substring>) -> [Entry] {
    lines.dropFirst().compactMap { line in
      (try? JSONValue(parsing: String(line))).flatMap { Entry($0) }
    }
  }

  private static func text(_ path: FilePath) throws -> String {
    let file = try MappedFile(path)
    let bytes = Span<UInt8>(_bytes: file.bytes)
    return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
  }

  /// What the whole lines of a journal say, and how many bytes they are.
  private static func entries(
    _ text: String, header: JSONObject, of destination: FilePath, _ path: FilePath
  ) throws -> (entries: [Entry], byteCount: Int) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    // A run that ended at once left nothing that would have to fit this one.
    guard let first = lines.first, entries(of: lines).holdWork else { return ([], 0) }
    let folder = path.removingLastComponent()
    guard let found = (try? JSONValue(parsing: String(first)))?.object else {
      throw ConversionError(
        .badInput,
        "\(path): is no journal of a conversion. Remove '\(folder)' to start over")
    }
    if let change = difference(found, header) {
      throw ConversionError(
        .badInput,
        "\(destination): cannot be resumed, because \(change). Remove '\(folder)' to start over")
    }
    var entries: [Entry] = []
    var byteCount = first.utf8.count + 1
    for line in lines.dropFirst() {
      // Blocks of a file can reach a disk out of order: what is behind a hole says nothing.
      guard let json = try? JSONValue(parsing: String(line)), let entry = Entry(json) else { break }
      entries.append(entry)
      byteCount += line.utf8.count + 1
    }
    return (entries, byteCount)
  }

  /// What another run asked for and this one does not, or the other way round; nil when they agree.
  private static func difference(_ old: JSONObject, _ new: JSONObject) -> String? {
    for (key, value) in new {
      if key == "tensors", old[key] != value {
        return "other tensors, or types, are to be written now"
      }
      if let files = value.object, let others = old[key]?.object {
        for (file, state) in files where others[file] != state {
          return others[file] == nil
            ? "'\(file)' was not read before" : "'\(file)' has changed since"
        }
        if let file = others.first(where: { files[$0.key] == nil })?.key {
          return "'\(file)' was read before and is not now"
        }
      } else if old[key] != value {
        return "'\(key)' was \(old[key]?.shortDescription ?? "nothing") and is "
          + "\(value.shortDescription) now"
      }
    }
    return old.first { new[$0.key] == nil }.map { "'\($0.key)' is gone" }
  }
}

extension [Journal.Entry] {
  /// Whether there is something that a run could go on with.
  var holdWork: Bool { contains { $0.isCheckpoint || $0 == .complete } }
}

extension Journal.Entry {
  fileprivate init?(_ json: JSONValue) {
    if case .string(let file)? = json["file"], case .integer(let byteCount)? = json["bytes"],
      case .string(let sha256)? = json["sha256"]
    {
      self = .checkpoint(file: file, byteCount: byteCount, sha256: sha256)
    } else if case .string(let place)? = json["measured"],
      case .integer(let level)? = json["level"],
      let change = json["change"]?.number, let whole = json["whole"]?.number
    {
      self = .measurement(
        MergeMeasurements.Record(level: level, place: place, change: change, whole: whole))
    } else if json["complete"] == true {
      self = .complete
    } else {
      return nil
    }
  }

  var isCheckpoint: Bool {
    if case .checkpoint = self { true } else { false }
  }

  fileprivate var json: JSONValue {
    switch self {
    case .checkpoint(let file, let byteCount, let sha256):
      ["file": .string(file), "bytes": .integer(byteCount), "sha256": .string(sha256)]
    case .measurement(let record):
      [
        "measured": .string(record.place), "level": .integer(record.level),
        "change": .number(record.change), "whole": .number(record.whole),
      ]
    case .complete: ["complete": true]
    }
  }
}
