/// A position in a pickle, and the operands that are read there.
struct PickleCursor: ~Escapable {
  private let bytes: Span<UInt8>
  private(set) var position = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  /// The unsigned number in the next bytes.
  ///
  /// - Throws: `PickleDefect` when the pickle ends before.
  @_lifetime(self: copy self)
  mutating func unsigned(_ byteCount: Int) throws(PickleDefect) -> UInt64 {
    try require(byteCount)
    defer { position += byteCount }
    return bytes.unsigned(byteCount, at: position)
  }

  /// A length of `byteCount` bytes that what follows has room for.
  @_lifetime(self: copy self)
  mutating func length(_ byteCount: Int) throws(PickleDefect) -> Int {
    let length = try unsigned(byteCount)
    guard length <= bytes.count - position else { throw .isCutShort }
    return Int(length)
  }

  /// The next `byteCount` bytes as text.
  @_lifetime(self: copy self)
  mutating func text(_ byteCount: Int) throws(PickleDefect) -> String {
    try require(byteCount)
    guard let text = bytes.text(in: position..<position + byteCount) else {
      throw PickleDefect("holds text that is not UTF-8")
    }
    position += byteCount
    return text
  }

  /// The text up to the end of the line, which is passed.
  @_lifetime(self: copy self)
  mutating func line() throws(PickleDefect) -> String {
    var end = position
    while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
    guard end < bytes.count else { throw .isCutShort }
    let text = try text(end - position)
    position += 1
    return text
  }

  /// The two's complement number in the next `byteCount` bytes.
  @_lifetime(self: copy self)
  mutating func signed(_ byteCount: Int) throws(PickleDefect) -> Int {
    guard byteCount > 0 else { return 0 }
    guard byteCount <= 8 else {
      throw PickleDefect("holds an integer of \(byteCount) bytes, expected at most 8")
    }
    let unused = 64 - 8 * byteCount
    return Int(Int64(bitPattern: try unsigned(byteCount) << unused) >> unused)
  }

  /// The floating-point number in the next 8 bytes, which come in the other order than all else.
  @_lifetime(self: copy self)
  mutating func double() throws(PickleDefect) -> Double {
    Double(bitPattern: try unsigned(8).byteSwapped)
  }

  private func require(_ byteCount: Int) throws(PickleDefect) {
    guard byteCount <= bytes.count - position else { throw .isCutShort }
  }
}

/// What is wrong with a pickle, as the end of a sentence that begins with its name.
struct PickleDefect: Error {
  let code: WeightFileError.Code
  let problem: String

  init(_ problem: String, code: WeightFileError.Code = .malformedPickle) {
    self.code = code
    self.problem = problem
  }

  static let isCutShort = PickleDefect("is cut short")
}
