import Archives
import Files
import SystemPackage
import TestSupport
import Testing

@testable import Bundles

struct ArchiveWriterTests {
  private let sample = ArchiveSample()

  private func archive(workerCount: Int = 2, pieceByteCount: Int = 1 << 20) throws -> [UInt8] {
    let sink = MemorySink()
    try sample.write(to: sink, workerCount: workerCount, pieceByteCount: pieceByteCount)
    return sink.bytes
  }

  @Test func `the number of threads and the size of pieces change no byte`() throws {
    let one = try archive(workerCount: 1)
    #expect(try archive(workerCount: 2) == one)
    #expect(try archive(workerCount: 5, pieceByteCount: 777_777) == one)
  }

  @Test func `frames and stream are those of the layout`() throws {
    try withFile(try archive()) { file in
      let contents = try #require(try FramedContents(file))
      #expect(try contents.frames.map(\.contents) == sample.layout.frames)
      #expect(try contents.bytes(0..<contents.byteCount) == sample.stream)
      // Manifest, empty, numbers twice, zeros, noise, small, end.
      #expect(
        contents.frames.map(\.isStored)
          == [true, false, false, false, false, true, false, false])
    }
  }

  @Test func `any part is read without the rest`() throws {
    let bytes = try archive()
    let stream = sample.stream
    let frame = ArchiveLayout.frameByteCount
    try withFile(bytes) { file in
      let contents = try #require(try FramedContents(file))
      for entry in try sample.layout.entries {
        let range = entry.contents
        #expect(try contents.bytes(range).elementsEqual(stream[range]), "\(entry.path)")
      }
      for range in [
        0..<0, 0..<1, 7..<frame + 9, frame..<2 * frame + 9, stream.count..<stream.count,
      ] {
        #expect(try contents.bytes(range).elementsEqual(stream[range]), "\(range)")
      }
    }
    // Damage elsewhere does not matter; damage there does.
    var damaged = bytes
    damaged[2] ^= 1
    try withFile(damaged) { file in
      let contents = try #require(try FramedContents(file))
      let range = try sample.layout.entries[4].contents
      #expect(try contents.bytes(range) == Array("small".utf8))
      #expect(throws: ArchiveDefect.self) { try contents.bytes(0..<1) }
    }
  }

  @Test func `an archive goes on after any of its frames`() throws {
    let whole = try archive()
    let frames = try withFile(whole) { try FramedContents($0).unwrapped.frames }
    for count in 0...frames.count {
      let written = Array(frames.prefix(count))
      let sink = MemorySink(Array(whole.prefix(written.last?.place.upperBound ?? 0)))
      try sample.write(to: sink, after: written)
      #expect(sink.bytes == whole, "after \(count) frames")
    }
  }

  @Test func `an archive that was cut off at any byte goes on after its whole frames`() throws {
    let whole = try archive()
    let places = try withFile(whole) { try FramedContents($0).unwrapped.frames.map(\.place) }
    let limits = [
      0, 5, places[0].upperBound - 1, places[2].lowerBound + 1, places[5].upperBound,
    ]
    for limit in limits {
      let full = MemorySink(limit: limit)
      #expect(throws: FileError.self) { try sample.write(to: full) }
      #expect(full.bytes.count == limit)
      let written = try withFile(full.bytes) {
        try FramedContents(interrupted: $0, layout: sample.layout).frames
      }
      #expect(written.map(\.place) == places.filter { $0.upperBound <= limit })
      let sink = MemorySink(Array(full.bytes.prefix(written.last?.place.upperBound ?? 0)))
      try sample.write(to: sink, after: written)
      #expect(sink.bytes == whole, "cut at \(limit)")
    }
  }

  @Test func `another archive's frames are not taken for a beginning`() throws {
    let other = try #require(ArchiveLayout([("manifest.json", 2), ("b", 1 << 20)]))
    try withFile(try archive()) { file in
      // The manifests have the same size, what follows has not.
      #expect(FramedContents(interrupted: file, layout: other).frames.count == 1)
    }
    let compressed = FrameEncoder.frame(of: unsafe [UInt8](repeating: 0, count: 1024).span.bytes)
    try withFile(compressed) { file in
      // A manifest that is not stored could not be filled in.
      #expect(FramedContents(interrupted: file, layout: other).frames.isEmpty)
    }
  }

  @Test func `the report says of each file what it gained`() throws {
    let sink = MemorySink()
    let report = try sample.write(to: sink)
    #expect(report.packedByteCount == sink.bytes.count)
    #expect(report.files.map(\.path) == sample.files.map(\.path))
    #expect(report.files.map(\.byteCount) == sample.files.map(\.contents.count))
    #expect(
      report.files.map(\.form)
        == [.stored, .compressed, .compressed, .partlyCompressed, .compressed])
    #expect(report.files[2].packedByteCount * 2 < report.files[2].byteCount)
    let end =
      8 + 8 * 8 + 9
      + FrameEncoder.frame(of: unsafe [UInt8](repeating: 0, count: 1024).span.bytes).count
    #expect(report.files.reduce(0) { $0 + $1.packedByteCount } + end == sink.bytes.count)
  }
}
