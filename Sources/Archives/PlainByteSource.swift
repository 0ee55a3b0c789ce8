package import Files

/// Gives the bytes of a file as they are: a tar archive that nobody compressed.
package final class PlainByteSource: ArchiveByteSource {
  /// What is given at a time, at most.
  private static let stepByteCount = 1 << 20

  private let file: MappedFile
  private var position = 0

  package init(_ file: MappedFile) { self.file = file }

  package func read(atMost limit: Int, _ body: (RawSpan) throws -> Void) throws -> Int {
    let file = file
    let step = min(limit, file.byteCount - position, Self.stepByteCount)
    guard step > 0 else { return 0 }
    try body(file.bytes.extracting(position..<position + step))
    position += step
    return step
  }
}
