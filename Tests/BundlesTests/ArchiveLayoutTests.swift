import Testing

@testable import Bundles

struct ArchiveLayoutTests {
  @Test func `every file begins where the headers and contents before it end`() throws {
    let long = String(repeating: "n", count: 101)
    let layout = try #require(ArchiveLayout([("manifest.json", 700), (long, 0), ("b", 512)]))
    #expect(layout.entries.map(\.path) == ["manifest.json", long, "b"])
    // A header, two blocks of contents; three blocks of header; a header and a block.
    #expect(layout.entries.map(\.segment) == [0..<1536, 1536..<3072, 3072..<4096])
    #expect(layout.entries.map(\.contents) == [512..<1212, 3072..<3072, 3584..<4096])
    #expect(layout.end == 4096..<5120 && layout.byteCount == 5120)
    #expect(layout.frames == [0..<1536, 1536..<3072, 3072..<4096, 4096..<5120])
  }

  @Test func `a file of over 8 GiB has the larger header and many frames`() throws {
    let size = 9 << 30
    let layout = try #require(ArchiveLayout([("manifest.json", 0), ("w", size), ("x", 1)]))
    #expect(layout.entries[1].contents == 512 + 1536..<512 + 1536 + size)
    #expect(layout.entries[2].segment.lowerBound == 512 + 1536 + size)
    #expect(layout.frames.count == 1 + (size >> 22) + 1 + 1 + 1)
    #expect(layout.frames[2] == 512 + (4 << 20)..<512 + (8 << 20))
    #expect(layout.frames.allSatisfy { !$0.isEmpty && $0.count <= 4 << 20 })
  }

  @Test func `what cannot be in one file has no layout`() {
    #expect(ArchiveLayout([("a", 3 << 40), ("b", 3 << 40)]) == nil)
    #expect(ArchiveLayout([("a", .max), ("b", .max)]) == nil)
    #expect(ArchiveLayout([("a", 3 << 40), ("b", 1 << 39)]) != nil)
  }

  @Test func `what has to be written next is told for every place in the stream`() throws {
    let layout = try #require(ArchiveLayout([("m", 1), ("empty", 0), ("b", 600), ("c", 0)]))
    let contents = layout.entries[2].contents
    for (position, entry, offset) in [
      (0, 0, 0), (1024, 2, 0), (contents.lowerBound, 2, 0), (contents.lowerBound + 77, 2, 77),
    ] {
      let next = try #require(layout.nextContents(after: position))
      #expect(next == (entry, offset))
    }
    #expect(layout.nextContents(after: contents.upperBound) == nil)
  }
}
