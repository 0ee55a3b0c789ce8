import Files
import TestSupport
import Testing

@testable import Archives

struct StoredFrameTests {
  @Test(
    arguments: [
      ("", 0x51D8_E999), ("a", 0xA98C_6E5B), ("abc", 0xAD77_0999),
    ] as [(String, UInt32)])
  func `checksums are those of xxHash`(text: String, checksum: UInt32) {
    let bytes = Array(text.utf8)
    #expect(ContentChecksum.of(unsafe bytes.span.bytes) == checksum)
  }

  @Test(arguments: [0, 1, 3, 4, 8, 31, 32, 33, 63, 255, 256, 131_071, 131_072, 131_073, 400_000])
  func `zstd reads a stored frame of any size and finds its checksum right`(count: Int) throws {
    let contents = SampleBytes.text(byteCount: count)
    let bytes = StoredFrame.bytes(of: unsafe contents.span.bytes)
    let frame = ArchiveFrame(place: 0..<bytes.count, contents: 0..<count)
    #expect(frame.isStored)
    #expect(try withFile(bytes) { try FrameDecoder.contents(of: frame, in: $0) } == contents)
    var damaged = bytes
    damaged[bytes.count - 1] ^= 1
    let error = #expect(throws: ArchiveDefect.self) {
      try withFile(damaged) { try FrameDecoder.contents(of: frame, in: $0) }
    }
    #expect(error?.problem.contains("checksum") == true)
  }

  @Test func `what compresses is compressed and what does not is stored`() {
    let frame = 4 << 20
    let text = SampleBytes.text(byteCount: frame)
    let noise = SampleBytes.noise(byteCount: frame)
    #expect(FrameEncoder.frame(of: unsafe text.span.bytes).count < frame / 2)
    #expect(
      FrameEncoder.frame(of: unsafe noise.span.bytes).count == StoredFrame.byteCount(for: frame))
    // Too short for a sample, so tried as a whole.
    let short = unsafe FrameEncoder.frame(of: text.span.extracting(0..<1000).bytes)
    #expect(short.count < 900)
  }
}
