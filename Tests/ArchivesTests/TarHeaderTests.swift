import Testing

@testable import Archives

struct TarHeaderTests {
  /// Reads the blocks of a header back, as the reader does.
  private func read(_ blocks: [UInt8]) throws -> TarHeader {
    let first = try TarBlock(Array(blocks.prefix(512)))
    guard first.kind == .records else { return try first.applying([]) }
    let records = Array(blocks.dropFirst(512).prefix(first.byteCount))
    return try TarBlock(Array(blocks.suffix(512))).applying(records)
  }

  @Test(arguments: [
    TarHeader(name: "config.json", byteCount: 0),
    TarHeader(name: "model.safetensors", byteCount: 0o777_7777_7777),
    TarHeader(name: "model.safetensors", byteCount: 0o777_7777_7777 + 1),
    TarHeader(name: "model.safetensors", byteCount: 40 << 40),
    TarHeader(name: String(repeating: "n", count: 100), byteCount: 1),
    TarHeader(name: String(repeating: "n", count: 101), byteCount: 1),
    TarHeader(name: String(repeating: "folder/", count: 90) + "é", byteCount: 1 << 40),
  ])
  func `names and sizes of any length come back`(header: TarHeader) throws {
    let blocks = header.blocks
    let needsRecords = header.name.utf8.count > 100 || header.byteCount >= 8 << 30
    #expect((blocks.count == 512) == !needsRecords && blocks.count % 512 == 0)
    #expect(try read(blocks) == header)
  }

  @Test(arguments: [
    "5", "99 path=a\n", "8 path=a\n", "11 path=a\n", "11 size=-4\n", "8 size=\n", "7 path\n",
    "2 \n",
  ])
  func `records that do not add up are refused`(text: String) throws {
    let block = try TarBlock(TarHeader(name: "n", byteCount: 1).blocks)
    #expect(throws: ArchiveDefect(problem: "holds pax records that cannot be read")) {
      try block.applying(Array(text.utf8))
    }
    let right = try block.applying(Array("9 path=a\n14 mtime=12.5\n".utf8))
    #expect(right == TarHeader(name: "a", byteCount: 1))
  }
}
