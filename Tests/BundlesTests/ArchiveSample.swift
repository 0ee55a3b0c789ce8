import Archives
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
      ("numbers", SampleBytes.text(byteCount: frame + 1000)),
      // The header's block and the zeros fill the first frame.
      (
        "weights",
        Array(repeating: 0, count: frame - 512) + SampleBytes.noise(byteCount: frame / 2 + 3)
      ),
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
