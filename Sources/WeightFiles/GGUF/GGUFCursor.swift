import Files

/// A place in a mapped GGUF file, from which its header is taken piece by piece.
///
/// Every piece is checked to be inside the file before it is touched.
struct GGUFCursor {
  let file: MappedFile
  /// The byte that comes next.
  private(set) var position = 0

  init(_ file: MappedFile) { self.file = file }

  /// The error for this file.
  func defect(_ code: WeightFileError.Code, _ detail: String) -> WeightFileError {
    WeightFileError(code, file.path, detail)
  }

  /// Steps over the next `count` bytes.
  ///
  /// - Parameter subject: what they are, for messages.
  /// - Throws: `WeightFileError` when the file or the longest header ends before them.
  mutating func take(
    _ count: UInt64, _ subject: @autoclosure () -> String
  ) throws(WeightFileError) -> Range<Int> {
    guard count <= UInt64(file.byteCount - position) else {
      throw defect(
        .malformedHeader,
        "\(subject()) needs \(count) bytes at byte \(position), the file has \(file.byteCount)")
    }
    let end = position + Int(count)
    guard end <= GGUFLimits.headerByteCount else {
      throw defect(
        .malformedHeader,
        "\(subject()) ends at byte \(end), beyond the limit of \(GGUFLimits.headerByteCount) "
          + "bytes for a header")
    }
    defer { position = end }
    return position..<end
  }

  /// Takes an integer, lowest byte first.
  mutating func integer<Integer: FixedWidthInteger>(
    _ subject: @autoclosure () -> String, as type: Integer.Type = Integer.self
  ) throws(WeightFileError) -> Integer {
    let range = try take(UInt64(Integer.bitWidth / 8), subject())
    return Integer(littleEndianBytes: Span(_bytes: file.bytes.extracting(range)))
  }

  /// Takes a length and as many bytes of UTF-8.
  mutating func string(_ subject: @autoclosure () -> String) throws(WeightFileError) -> String {
    let start = position
    let length = try integer("the length of \(subject())", as: UInt64.self)
    let range = try take(length, subject())
    guard let text = try? UTF8Span(validating: Span(_bytes: file.bytes.extracting(range))) else {
      throw defect(.malformedHeader, "\(subject()) at byte \(start) is not UTF-8")
    }
    return String(copying: text)
  }

  /// The count that comes next: 0 to `limit`.
  mutating func count(
    of subject: String, limit: Int
  ) throws(WeightFileError) -> Int {
    // Signed, as ggml reads it, so that a count with its highest bit set is called negative.
    let count = try integer("the number of \(subject)", as: Int64.self)
    guard 0...Int64(limit) ~= count else {
      throw defect(
        .malformedHeader, "the number of \(subject) is \(count), expected 0 to \(limit)")
    }
    return Int(count)
  }
}
