import SystemPackage

/// What is where in a zip archive whose entries are stored as they are.
///
/// That is how `torch.save` writes, so that storages can be mapped. When `init` returns, every
/// entry has a name of its own and bytes of its own inside the file; nothing was unpacked. Checksums
/// are not computed: that would read the whole file.
struct ZipArchive {
  private let ranges: [String: Range<Int>]

  /// Reads and checks the directory of the archive whose bytes are `file`.
  ///
  /// - Parameter path: the file's name in messages.
  /// - Throws: `WeightFileError` when it is malformed, or an entry is compressed, encrypted,
  ///   outside the file, or there twice.
  init(_ file: Span<UInt8>, path: FilePath) throws(WeightFileError) {
    let end = try ZipEndRecord(file, path: path)
    var ranges: [String: Range<Int>] = [:]
    var occupied: [(range: Range<Int>, name: String)] = []
    var position = end.directory.lowerBound
    for _ in 0..<end.entryCount {
      let entry = try ZipDirectoryEntry(file, at: position, in: end.directory, path: path)
      guard ranges.updateValue(entry.data, forKey: entry.name) == nil else {
        throw WeightFileError(.malformedArchive, path, "entry '\(entry.name)' is there twice")
      }
      occupied.append((entry.occupied, entry.name))
      position += entry.byteCount
    }
    guard position == end.directory.upperBound else {
      throw WeightFileError(
        .malformedArchive, path, "the directory holds more than its \(end.entryCount) entries")
    }
    // Entries that share bytes make a small file a large one.
    occupied.sort { $0.range.lowerBound < $1.range.lowerBound }
    for (one, next) in zip(occupied, occupied.dropFirst())
    where next.range.lowerBound < one.range.upperBound {
      throw WeightFileError(
        .malformedArchive, path, "entries '\(one.name)' and '\(next.name)' share bytes")
    }
    self.ranges = ranges
  }

  var names: some Collection<String> { ranges.keys }

  /// The bytes of the entry of that name in the file, or nil when there is none.
  subscript(name: String) -> Range<Int>? { ranges[name] }
}
