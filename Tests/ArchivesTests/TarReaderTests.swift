import Archives
import TestSupport
import Testing

struct TarReaderTests {
  private static let end = [UInt8](repeating: 0, count: TarHeader.endByteCount)

  /// The names of all files, passing the folders `a/`.
  private func names(_ entries: [TarEntry], end: [UInt8] = Self.end) throws -> [String] {
    try withFile(entries.flatMap(\.bytes) + end) { file in
      let reader = TarReader(PlainByteSource(file))
      var names: [String] = []
      while let entry = try reader.nextEntry(passing: { $0 == "a/" }) {
        names.append(entry.name)
        try reader.readContents(of: entry) { _ in }
      }
      return names
    }
  }

  private func problem(_ entries: [TarEntry]) -> String? {
    let error = #expect(throws: ArchiveDefect.self) { try names(entries) }
    return error?.problem
  }

  @Test func `only folders that may be passed are passed`() throws {
    let file = TarEntry("a/f", "hello")
    #expect(try names([TarEntry("a/", "", type: "5"), file]) == ["a/f"])
    #expect(
      problem([TarEntry("b/", "", type: "5"), file])
        == "entry 'b/' is a folder, expected only files")
    // One with contents is not the folder that it says it is.
    #expect(
      problem([TarEntry("a/", "x", type: "5"), file])
        == "entry 'a/' is a folder, expected only files")
  }

  @Test func `pax records come once for an entry and have one behind them`() throws {
    let records = TarEntry("PaxHeader", "13 path=a/gg\n", type: "x")
    let file = TarEntry("a/f", "hello")
    #expect(try names([records, file]) == ["a/gg"])
    #expect(problem([records, records, file]) == "holds pax records twice for one entry")
    #expect(problem([records]) == "ends behind pax records")
    // Those of a folder are not those of the file behind it.
    let folder = TarEntry("PaxHeader", "11 path=a/\n", type: "x")
    #expect(try names([folder, TarEntry("b", "", type: "5"), file]) == ["a/f"])
  }

  @Test func `a sparse file is refused, whose contents would be a map and parts`() throws {
    let records = TarEntry("PaxHeader", "22 GNU.sparse.major=1\n", type: "x")
    #expect(problem([records, TarEntry("f", "hello")]) == "holds a sparse file")
  }

  @Test func `a cut at any block is noticed`() throws {
    let whole = TarEntry("a/f", "hello").bytes + Self.end
    for count in stride(from: 0, to: whole.count - TarHeader.blockByteCount, by: 512) {
      try withFile(Array(whole.prefix(count))) { file in
        let reader = TarReader(PlainByteSource(file))
        let error = #expect(throws: ArchiveDefect.self) {
          while let entry = try reader.nextEntry() { try reader.readContents(of: entry) { _ in } }
        }
        #expect(error?.problem == "is cut short", "\(count)")
      }
    }
  }
}
