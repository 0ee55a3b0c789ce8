import Files
import SystemPackage
import TestSupport

@testable import Bundles

/// Files that need every kind of frame, and the tar stream they make.
struct ArchiveSample {
  /// In the order of the archive; the first stands for the manifest.
  let files: [(path: String, contents: [UInt8])]

  init() {
    let frame = ArchiveLayout.frameByteCount
    files = [
      ("manifest.json", Array("{}".utf8)),
      ("a/empty", []),
      ("numbers", Self.text(byteCount: frame + 1000)),
      // The header's block and the zeros fill the first frame.
      ("weights", Array(repeating: 0, count: frame - 512) + Self.noise(byteCount: frame / 2 + 3)),
      (String(repeating: "folder/", count: 20) + "z", Array("small".utf8)),
    ]
  }

  var layout: ArchiveLayout {
    get throws {
      try ArchiveLayout(files.map { ($0.path, $0.contents.count) }).unwrapped
    }
  }

  /// Made from headers alone, without a layout.
  var stream: [UInt8] {
    files.flatMap { path, contents in
      let header = TarHeader(name: path, byteCount: contents.count)
      return header.blocks + contents + Array(repeating: 0, count: header.paddingByteCount)
    } + Array(repeating: 0, count: 1024)
  }

  /// The archive, or what of it comes after the frames `written`.
  @discardableResult
  func write(
    to sink: some RewritableSink, after written: [ArchiveFrame] = [], workerCount: Int = 2,
    pieceByteCount: Int = 1 << 20
  ) throws -> PackingReport {
    let layout = try layout
    let writer = try ArchiveWriter(layout, to: sink, after: written, workerCount: workerCount)
    if let (first, offset) = layout.nextContents(
      after: max(written.last?.contents.upperBound ?? 0, layout.entries[0].segment.upperBound))
    {
      for index in first..<files.count {
        let contents = files[index].contents
        var start = index == first ? offset : 0
        while start < contents.count {
          let end = min(start + pieceByteCount, contents.count)
          try writer.write(unsafe contents.span.extracting(start..<end).bytes)
          start = end
        }
      }
    }
    let manifest = files[0].contents
    return try writer.finish(manifest: unsafe manifest.span.bytes)
  }

  /// Numbers with commas between, which compress to a half or so.
  static func text(byteCount: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: 3)
    let line = (0..<20_000).map { _ in "\(UInt16.random(in: 0...9999, using: &generator))" }
      .joined(separator: ",")
    let lines = Array(line.utf8)
    var text: [UInt8] = []
    while text.count < byteCount { text += lines.prefix(byteCount - text.count) }
    return text
  }

  /// Bytes that do not compress.
  static func noise(byteCount: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: 4)
    let words = (0..<byteCount / 8 + 1).map { _ in generator.next() }
    return unsafe words.withUnsafeBytes { unsafe Array($0.prefix(byteCount)) }
  }
}

/// A file in memory, which may be full.
final class MemorySink: RewritableSink {
  private(set) var bytes: [UInt8]
  private let limit: Int

  init(_ bytes: [UInt8] = [], limit: Int = .max) {
    self.bytes = bytes
    self.limit = limit
  }

  func write(_ new: RawSpan) throws(FileError) {
    let count = min(new.byteCount, limit - bytes.count)
    bytes.append(new.extracting(0..<count))
    guard count == new.byteCount else { throw FileError(.noSpace, "memory") }
  }

  func rewrite(_ new: RawSpan, at offset: Int) throws(FileError) {
    var copy: [UInt8] = []
    copy.append(new)
    bytes.replaceSubrange(offset..<offset + copy.count, with: copy)
  }
}

extension Optional {
  /// The value, for a test that cannot go on without.
  var unwrapped: Wrapped {
    get throws {
      guard let self else { throw ArchiveDefect(problem: "is nil") }
      return self
    }
  }
}

extension FramedContents {
  /// All of `range`.
  func bytes(_ range: Range<Int>, workerCount: Int = 2) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try read(range, workerCount: workerCount) { bytes.append($0) }
    return bytes
  }
}

/// A file with these bytes for the time of `body`.
func withFile<Result>(_ bytes: [UInt8], _ body: (MappedFile) throws -> Result) throws -> Result {
  try withTemporaryDirectory { directory in
    let path = directory.appending("x.flare")
    try path.overwrite(bytes)
    return try body(MappedFile(path))
  }
}
