import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// One file for each way in which a GGUF file can be wrong.
struct GGUFHostileTests {
  /// Types of values: u8 0, i8 1, u32 4, f32 6, bool 7, string 8, array 9; of tensors: F32 0, I8 24.
  static let preamble: [Defect] = [
    Defect(
      "empty file", [], .malformedHeader,
      "the magic number needs 4 bytes at byte 0, the file has 0"),
    Defect(
      "another format", Array("GGML".utf8) + le(UInt32(3)), .malformedHeader,
      "does not begin with 'GGUF'; is this a GGUF file?"),
    Defect(
      "no version", Array("GGUF".utf8), .malformedHeader,
      "the version needs 4 bytes at byte 4, the file has 4"),
    Defect(
      "version 0", gguf(version: 0), .malformedHeader, "has version 0, expected 2 or 3"),
    Defect(
      "version 1", gguf(version: 1), .malformedHeader, "has version 1, expected 2 or 3"),
    Defect(
      "version 4", gguf(version: 4), .malformedHeader, "has version 4, expected 2 or 3"),
    Defect(
      "bytes swapped", gguf(version: 0x0300_0000), .malformedHeader,
      "is a big-endian file, expected little-endian. Convert it with gguf-convert-endian"),
    Defect(
      "negative number of tensors", gguf(tensorCount: -1), .malformedHeader,
      "the number of tensors is -1, expected 0 to 65536"),
    Defect(
      "2⁶³ tensors", gguf(tensorCount: .min), .malformedHeader,
      "the number of tensors is -9223372036854775808, expected 0 to 65536"),
    Defect(
      "one tensor more than the limit", gguf(tensorCount: 65_537), .malformedHeader,
      "the number of tensors is 65537, expected 0 to 65536"),
    Defect(
      "more tensors than the file has", gguf(tensorCount: 1), .malformedHeader,
      "the length of the name of tensor 0 needs 8 bytes at byte 24, the file has 24"),
    Defect(
      "negative number of keys", gguf(keyCount: -1), .malformedHeader,
      "the number of keys is -1, expected 0 to 65536"),
    Defect(
      "one key more than the limit", gguf(keyCount: 65_537), .malformedHeader,
      "the number of keys is 65537, expected 0 to 65536"),
    Defect(
      "more keys than the file has", gguf(keyCount: 1), .malformedHeader,
      "the length of key 0 needs 8 bytes at byte 24, the file has 24"),
  ]

  static let keys: [Defect] = [
    Defect(
      "key without letters", gguf(keys: [key("", 0, [1])]), .malformedMetadata,
      "key 0 is empty"),
    Defect(
      "key of 65536 bytes", gguf(keys: [key(String(repeating: "k", count: 65_536), 0, [1])]),
      .malformedMetadata, "key 0 is 65536 bytes long, expected at most 65535"),
    Defect(
      "key longer than the file", gguf(keyCount: 1, keys: [le(UInt64.max) + Array("k".utf8)]),
      .malformedHeader, "key 0 needs 18446744073709551615 bytes at byte 32, the file has 33"),
    Defect(
      "key that is not UTF-8", gguf(keys: [le(UInt64(1)) + [0xFF] + le(UInt32(0)) + [1]]),
      .malformedHeader, "key 0 at byte 24 is not UTF-8"),
    Defect(
      "key with a zero byte", gguf(keys: [key("a\0b", 0, [1])]), .malformedMetadata,
      "key 0 holds a control character"),
    Defect(
      "one key twice", gguf(keys: [key("a", 0, [1]), key("a", 1, [1])]), .malformedMetadata,
      "key 'a' appears twice"),
    Defect(
      "unknown type of value", gguf(keys: [key("a", 13, [1])]), .malformedMetadata,
      "'a' has the value type 13, expected 0 to 12"),
    Defect(
      "value cut short", gguf(keys: [key("a", 4, [1, 2, 3])]), .malformedHeader,
      "the value of 'a' needs 4 bytes at byte 37, the file has 40"),
    Defect(
      "bool of 2", gguf(keys: [key("a", 7, [2])]), .malformedMetadata,
      "'a' is 2, expected 0 or 1 for a bool"),
    Defect(
      "bool of 255 in an array", gguf(keys: [key("a", 9, array(7, count: 3, [0, 1, 255]))]),
      .malformedMetadata, "'a' is 255, expected 0 or 1 for a bool"),
    Defect(
      "string longer than the file", gguf(keys: [key("a", 8, le(UInt64(5)) + Array("four".utf8))]),
      .malformedHeader, "the value of 'a' needs 5 bytes at byte 45, the file has 49"),
    Defect(
      "string that is not UTF-8", gguf(keys: [key("a", 8, le(UInt64(2)) + [0xC3, 0x28])]),
      .malformedHeader, "the value of 'a' at byte 37 is not UTF-8"),
    Defect(
      "array of arrays", gguf(keys: [key("a", 9, array(9, count: 1, array(0, count: 0)))]),
      .malformedMetadata, "'a' is an array of arrays, which is not supported"),
    Defect(
      "array of an unknown type", gguf(keys: [key("a", 9, array(13, count: 0))]),
      .malformedMetadata, "'a' has the value type 13, expected 0 to 12"),
    Defect(
      "array whose size would overflow", gguf(keys: [key("a", 9, array(12, count: 1 << 61))]),
      .malformedMetadata, "'a' has 2305843009213693952 elements, expected at most 4194304"),
    Defect(
      "array longer than the file", gguf(keys: [key("a", 9, array(4, count: 2, le(UInt32(1))))]),
      .malformedHeader, "the value of 'a' needs 8 bytes at byte 49, the file has 53"),
    Defect(
      "a billion empty strings", gguf(keys: [key("a", 9, array(8, count: 1 << 30))]),
      .malformedMetadata, "'a' has 1073741824 elements, expected at most 4194304"),
    Defect(
      "more strings than the file can hold", gguf(keys: [key("a", 9, array(8, count: 1 << 22))]),
      .malformedHeader, "'a' needs 33554432 bytes at byte 49, the file has 49"),
    Defect(
      "string in an array that is not UTF-8",
      gguf(keys: [key("a", 9, array(8, count: 2, text("x") + le(UInt64(1)) + [0x80]))]),
      .malformedHeader, "element 1 of 'a' at byte 58 is not UTF-8"),
  ]

  static let special: [Defect] =
    [(0, "0 (u32)"), (3, "3 (u32)"), (4, "4 (u32)"), (1 << 31, "2147483648 (u32)")].map {
      Defect(
        "alignment of \($0)", gguf(keys: [key("general.alignment", 4, le($0 as UInt32))]),
        .malformedMetadata,
        "'general.alignment' is \($1), expected a power of two from 8 to 65536 (u32)")
    } + [
      Defect(
        "alignment of 32 as a string", gguf(keys: [key("general.alignment", 8, text("32"))]),
        .malformedMetadata,
        "'general.alignment' is \"32\", expected a power of two from 8 to 65536 (u32)"),
      Defect(
        "alignment of 32 as an i32", gguf(keys: [key("general.alignment", 5, le(Int32(32)))]),
        .malformedMetadata,
        "'general.alignment' is 32 (i32), expected a power of two from 8 to 65536 (u32)"),
      Defect(
        "one file of several", gguf(keys: [key("split.count", 2, le(UInt16(3)))]), .unsupported,
        "'split.count' is 3: it is one of several files of a split model, which cannot be read here. "
          + "Join them with llama-gguf-split --merge"),
      Defect(
        "split count that is no number", gguf(keys: [key("split.count", 7, [1])]),
        .malformedMetadata, "'split.count' is true, expected an integer"),
    ]

  static let defects = preamble + keys + special

  @Test(arguments: defects)
  func `a defect is refused by name`(_ defect: Defect) throws {
    try expectRefusal(of: defect)
  }

  @Test func `a header over the limit is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
      let descriptor = try FileDescriptor.open(
        path, .writeOnly, options: .create, permissions: .ownerReadWrite)
      try descriptor.closeAfter {
        // The string is a hole in the file that takes no space.
        let start = gguf(keys: [key("a", 8, le(UInt64(100_000_000)))])
        _ = try descriptor.writeAll(start)
        try descriptor.resize(to: Int64(start.count + 100_000_000))
      }
      let error = #expect(throws: WeightFileError.self) { try GGUFFile(path) }
      #expect(
        error?.description
          == "\(path): the value of 'a' ends at byte 100000045, beyond the limit of 100000000 bytes "
          + "for a header")
    }
  }

  @Test func `a missing file and a directory are named`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("none.gguf")
      let missing = #expect(throws: WeightFileError.self) { try GGUFFile(path) }
      #expect(missing?.code == .inaccessible)
      #expect(missing?.description == "\(path): no such file or directory")
      let folder = #expect(throws: WeightFileError.self) { try GGUFFile(directory) }
      #expect(folder?.description == "\(directory): not a regular file")
    }
  }
}

/// Expects the reader of GGUF files to refuse a file with the very words.
func expectRefusal(
  of defect: Defect, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  try withTemporaryDirectory { directory in
    let path = directory.appending("model.gguf")
    try path.overwrite(defect.bytes)
    let error = #expect(throws: WeightFileError.self, sourceLocation: sourceLocation) {
      try GGUFFile(path)
    }
    #expect(error?.code == defect.code, sourceLocation: sourceLocation)
    #expect(error?.description == "\(path): \(defect.detail)", sourceLocation: sourceLocation)
    #expect(error?.kind == .badInput, sourceLocation: sourceLocation)
  }
}
