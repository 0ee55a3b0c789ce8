/// The fields of one message in protobuf's encoding, one after the other.
///
///     var reader = ProtobufReader(bytes[...])
///     while let field = try reader.next() { ... }
///
/// A field is a number, a type of encoding, and a value whose length follows from the type.
struct ProtobufReader {
  enum Value {
    case varint(UInt64)
    case fixed32(UInt32)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  /// What is wrong with the bytes, and where in the file.
  struct Defect: Error, CustomStringConvertible {
    let offset: Int
    let problem: String
    var description: String { "byte \(offset): \(problem)" }
  }

  struct Field {
    let number: Int
    let value: Value
    /// Where the field begins in the file.
    let offset: Int
  }

  private var rest: ArraySlice<UInt8>

  init(_ message: ArraySlice<UInt8>) { rest = message }

  /// The next field, or nil at the end of the message.
  mutating func next() throws(Defect) -> Field? {
    if rest.isEmpty { return nil }
    let start = rest.startIndex
    let key = try varint()
    guard let number = Int(exactly: key >> 3), number > 0 else {
      throw Defect(offset: start, problem: "a field has no number")
    }
    func field(_ value: Value) -> Field { Field(number: number, value: value, offset: start) }
    switch key & 7 {
    case 0: return field(.varint(try varint()))
    case 1: return field(.fixed64(try integer(byteCount: 8)))
    case 2:
      let length = try varint()
      guard length <= rest.count else {
        throw Defect(
          offset: start,
          problem: "field \(number) is \(length) bytes long, and \(rest.count) are left")
      }
      return field(.bytes(take(Int(length))))
    case 5: return field(.fixed32(UInt32(try integer(byteCount: 4))))
    default:
      throw Defect(
        offset: start, problem: "field \(number) has the encoding \(key & 7), expected 0, 1, 2 or 5"
      )
    }
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
    defer { rest.removeFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() throws(Defect) -> UInt64 {
    let start = rest.startIndex
    var value: UInt64 = 0
    for index in 0..<10 {
      guard let byte = rest.popFirst() else {
        throw Defect(offset: start, problem: "a number does not end")
      }
      value |= UInt64(byte & 0x7F) << UInt64(7 * index)
      if byte < 0x80 { return value }
    }
    throw Defect(offset: start, problem: "a number is longer than 10 bytes")
  }

  private mutating func integer(byteCount: Int) throws(Defect) -> UInt64 {
    guard rest.count >= byteCount else {
      throw Defect(offset: rest.startIndex, problem: "a number does not end")
    }
    return take(byteCount).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
