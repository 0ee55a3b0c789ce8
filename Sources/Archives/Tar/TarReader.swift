import Files

/// Walks through the entries of a tar archive.
package struct TarReader: ~Copyable {
  /// More records than this are an attack: a size and a path take a few hundred bytes.
  private static let maximumRecordByteCount = 1 << 16
  /// Zeros that may follow the last entry; tar programs fill up a record of 20 blocks.
  private static let maximumEndByteCount = 2 * 20 * TarHeader.blockByteCount

  private let source: any ArchiveByteSource

  package init(_ source: any ArchiveByteSource) { self.source = source }

  /// The next file, whose contents must be read before the entry after it; nil at the end.
  ///
  /// - Parameter mayPass: whether the entry of a folder with this name may come before the file;
  ///   without one, none may.
  /// - Throws: `ArchiveDefect`, also for every entry that is neither.
  package func nextEntry(
    passing mayPass: (_ folder: String) -> Bool = { _ in false }
  ) throws -> TarHeader? {
    var records: [UInt8]?
    while true {
      let bytes = try readBytes(TarHeader.blockByteCount)
      if bytes.allSatisfy({ $0 == 0 }) {
        guard records == nil else { throw ArchiveDefect(problem: "ends behind pax records") }
        try expectOnlyZeros()
        return nil
      }
      let block = try TarBlock(bytes)
      switch block.kind {
      case .file: return try block.applying(records ?? [])
      case .records:
        // No end of them would be read without an end.
        guard records == nil else {
          throw ArchiveDefect(problem: "holds pax records twice for one entry")
        }
        guard block.byteCount <= Self.maximumRecordByteCount else {
          throw ArchiveDefect(problem: "holds pax records of \(block.byteCount) bytes")
        }
        records = try readBytes(block.byteCount)
        _ = try readBytes(TarHeader.padding(after: block.byteCount))
      case .folder:
        let folder = try block.applying(records ?? [])
        guard folder.byteCount == 0, mayPass(folder.name) else {
          throw ArchiveDefect(problem: "entry '\(folder.name)' is a folder, expected only files")
        }
        records = nil
      case .other(let kind):
        throw ArchiveDefect(problem: "entry '\(block.name)' is \(kind), expected only files")
      }
    }
  }

  /// Reads the contents of `entry` and the padding after it.
  package func readContents(of entry: TarHeader, _ body: (RawSpan) throws -> Void) throws {
    try read(entry.byteCount, body)
    _ = try readBytes(entry.paddingByteCount)
  }

  private func readBytes(_ count: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    try read(count) { result.append($0) }
    return result
  }

  private func read(_ count: Int, _ body: (RawSpan) throws -> Void) throws {
    var remaining = count
    while remaining > 0 {
      let step = try source.read(atMost: remaining, body)
      guard step > 0 else { throw ArchiveDefect(problem: "is cut short") }
      remaining -= step
    }
  }

  /// Reads to the end of the file, where nothing may follow but the zeros that fill up a record.
  private func expectOnlyZeros() throws {
    var count = 0
    while true {
      var isZero = true
      let step = try source.read(atMost: TarHeader.blockByteCount) { bytes in
        let bytes = Span<UInt8>(_bytes: bytes)
        isZero = bytes.indices.allSatisfy { bytes[$0] == 0 }
      }
      if step == 0 { return }
      count += step
      guard isZero, count <= Self.maximumEndByteCount else {
        throw ArchiveDefect(problem: "goes on after the end of the archive")
      }
    }
  }
}
