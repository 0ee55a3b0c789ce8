/// Bytes of any number, always the same, of which it is known how well they compress.
public enum SampleBytes {
  /// Numbers with commas between, which compress to a half or so.
  public static func text(byteCount: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: 3)
    let line = (0..<20_000).map { _ in "\(UInt16.random(in: 0...9999, using: &generator))" }
      .joined(separator: ",")
    let lines = Array(line.utf8)
    var text: [UInt8] = []
    while text.count < byteCount { text += lines.prefix(byteCount - text.count) }
    return text
  }

  /// Bytes that do not compress.
  public static func noise(byteCount: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: 4)
    let words = (0..<byteCount / 8 + 1).map { _ in generator.next() }
    return unsafe words.withUnsafeBytes { unsafe Array($0.prefix(byteCount)) }
  }
}
