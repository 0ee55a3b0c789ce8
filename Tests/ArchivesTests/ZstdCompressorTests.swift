import Files
import TestSupport
import Testing

@testable import Archives

struct ZstdCompressorTests {
  /// Keeps what it is given.
  private final class Sink: ByteSink {
    private(set) var bytes: [UInt8] = []

    func write(_ new: RawSpan) throws(FileError) { bytes.append(new) }
  }

  private func compressed(_ contents: [UInt8], pieceByteCount: Int) throws -> [UInt8] {
    let sink = Sink()
    let compressor = ZstdCompressor(to: sink, contentByteCount: contents.count, level: 9)
    for start in stride(from: 0, to: contents.count, by: pieceByteCount) {
      let end = min(start + pieceByteCount, contents.count)
      try compressor.write(unsafe contents.span.extracting(start..<end).bytes)
    }
    try compressor.finish()
    return sink.bytes
  }

  private func decompressed(_ bytes: [UInt8]) throws -> [UInt8] {
    try withFile(bytes) { file in
      let source = ZstdDecompressor(file)
      var contents: [UInt8] = []
      while try source.read(atMost: 1 << 20, { contents.append($0) }) > 0 {}
      return contents
    }
  }

  @Test(
    arguments: [
      SampleBytes.text(byteCount: 3_000_001), SampleBytes.noise(byteCount: 300_000), [7], [],
    ], [1 << 20, 99_991])
  func `contents come back from one frame that says its size`(
    contents: [UInt8], pieceByteCount: Int
  ) throws {
    let frame = try compressed(contents, pieceByteCount: pieceByteCount)
    #expect(try decompressed(frame) == contents)
    let (byteCount, contentByteCount) = try #require(FrameDecoder.measure(unsafe frame.span.bytes))
    #expect(byteCount == frame.count && contentByteCount == contents.count)
    #expect(try compressed(contents, pieceByteCount: pieceByteCount) == frame)
  }

  @Test func `a frame has a checksum by which damage is found`() throws {
    let contents = SampleBytes.noise(byteCount: 100_000)
    var frame = try compressed(contents, pieceByteCount: 1 << 20)
    frame[frame.count / 2] ^= 1
    let error = #expect(throws: ArchiveDefect.self) { try decompressed(frame) }
    #expect(error?.problem.contains("checksum") == true)
  }
}
