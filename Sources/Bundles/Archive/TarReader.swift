import Files

/// Walks through the entries of a tar archive.
struct TarReader: ~Copyable {
  /// More records than this are an attack: a size and a path take a few hundred bytes.
  private static let maximumRecordByteCount = 1 << 16
  /// Zeros that may follow the last entry; tar programs fill up a record of 20 blocks.
  private static let maximumEndByteCount = 2 * 20 * TarHeader.blockByteCount

  private let source: any ArchiveByteSource

  init(_ source: any ArchiveByteSource) { self.source = source }

  /// The next entry, whose contents must be read before the one after it; nil at the end.
  ///
  /// - Throws: `ArchiveDefect`.
  func nextEntry() throws -> TarHeader? {
    var records: [UInt8] = []
    while true {
      let bytes = try readBytes(TarHeader.blockByteCount)
      if bytes.allSatisfy({ $0 == 0 }) {
        try expectOnlyZeros()
        return nil
      }
      let block = try TarBlock(bytes)
      switch block.kind {
      case .file: return try block.applying(records)
      case .records:
        guard block.byteCount <= Self.maximumRecordByteCount else {
          throw ArchiveDefect(problem: "holds pax records of \(block.byteCount) bytes")
        }
        records = try readBytes(block.byteCount)
        _ = try readBytes(TarHeader.padding(after: block.byteCount))
      case .other(let kind):
        throw ArchiveDefect(problem: "entry '\(block.name)' is \(kind), expected only files")
      }
    }
  }

  /// Reads the contents of `entry` and the padding after it.
  func readContents(of entry: TarHeader, _ body: (RawSpan) throws -> Void) throws {
    try read(entry.byteCount, body)
    _ = try readBytes(entry.paddingByteCount)
  }

  private func readBytes(_ count: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    try read(count) { bytes in
      let bytes = Span<UInt8>(_bytes: bytes)
      for index in bytes.indices { result.append(bytes[index]) }
    }
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
