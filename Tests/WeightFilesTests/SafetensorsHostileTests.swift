import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// One file for each way in which a safetensors file can be wrong.
struct SafetensorsHostileTests {
  static let u8 = #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#

  static let defects: [Defect] = [
    Defect(
      "empty file", [], .malformedHeader,
      "is 0 bytes long, expected at least 8 for the length of the header"),
    Defect(
      "seven bytes", Array(repeating: 0, count: 7), .malformedHeader,
      "is 7 bytes long, expected at least 8 for the length of the header"),
    Defect(
      "header longer than the file", [0, 0x1A, 0x71, 0x18, 2, 0, 0, 0, 0x7B, 0x7D],
      .malformedHeader, "header length 9000000000 exceeds the file (10 bytes)"),
    Defect(
      "header length with the highest bit set", [0, 0, 0, 0, 0, 0, 0, 0x80, 0x7B, 0x7D],
      .malformedHeader, "header length 9223372036854775808 exceeds the file (10 bytes)"),
    Defect(
      "header of no bytes", safetensors(""), .malformedHeader,
      "the header does not begin with '{'"),
    Defect(
      "white space before the header", safetensors(" " + u8, data: [1, 2, 3, 4]),
      .malformedHeader, "the header does not begin with '{'"),
    Defect(
      "header that is no JSON", safetensors("{\"a\":}"), .malformedHeader,
      "header: expected a value, got '}' at byte 13"),
    Defect(
      "header that is not UTF-8",
      safetensors("{\"a?\":1}").map { $0 == UInt8(ascii: "?") ? 0xFF : $0 },
      .malformedHeader, "header: text that is not UTF-8 at byte 10"),
    Defect(
      "one name twice with the same range",
      safetensors(
        #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#
          + #""a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#),
      .malformedHeader, "header: key 'a' appears twice in one object at byte 61"),
    Defect(
      "metadata that is no object", safetensors(#"{"__metadata__":[]}"#), .malformedHeader,
      "'__metadata__' is [], expected an object"),
    Defect(
      "metadata with a number", safetensors(#"{"__metadata__":{"step":7}}"#), .malformedHeader,
      "'__metadata__': 'step' is 7, expected a string"),
    Defect(
      "entry that is no object", safetensors(#"{"a":null}"#), .malformedEntry,
      "tensor 'a' is null, expected an object"),
    Defect(
      "unknown field",
      safetensors(
        #"{"a":{"dtype":"U8","shape":[4],"strides":[1],"data_offsets":[0,4]}}"#,
        data: [1, 2, 3, 4]),
      .malformedEntry, "tensor 'a' has the field 'strides', which this version does not know"),
    Defect(
      "missing type", safetensors(#"{"a":{"shape":[0],"data_offsets":[0,0]}}"#),
      .malformedEntry, "tensor 'a' 'dtype' is missing, expected a string"),
    Defect(
      "unknown type", safetensors(#"{"a":{"dtype":"F31","shape":[0],"data_offsets":[0,0]}}"#),
      .unknownElementType,
      "tensor 'a' has type 'F31', which this version cannot read (known: BOOL, U8, I8, U16, I16, "
        + "U32, I32, U64, I64, F8_E4M3, F8_E5M2, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, F16, BF16, "
        + "F32, F64, C64, F4, F6_E2M3, F6_E3M2)"),
    Defect(
      "negative extent", safetensors(#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#),
      .malformedEntry,
      "tensor 'a' 'shape' is [-1], expected a list of integers that are not negative"),
    Defect(
      "extent with a fraction",
      safetensors(#"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#, data: [1]),
      .malformedEntry,
      "tensor 'a' 'shape' is [1.0], expected a list of integers that are not negative"),
    Defect(
      "missing shape", safetensors(#"{"a":{"dtype":"U8","data_offsets":[0,0]}}"#),
      .malformedEntry,
      "tensor 'a' 'shape' is missing, expected a list of integers that are not negative"),
    Defect(
      "shape that overflows",
      safetensors(
        #"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#),
      .sizeMismatch, "tensor 'a' has shape [4294967296, 4294967296], which overflows"),
    Defect(
      "shape that overflows behind a zero",
      safetensors(
        #"{"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#),
      .sizeMismatch, "tensor 'a' has shape [0, 4294967296, 4294967296], which overflows"),
    Defect(
      "size that overflows",
      safetensors(#"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}"#),
      .sizeMismatch,
      "tensor 'a' (F64 [2305843009213693952]) is no whole number of bytes that fits a file"),
    Defect(
      "half a byte",
      safetensors(#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, data: [1, 2]),
      .sizeMismatch, "tensor 'a' (F4 [3]) is no whole number of bytes that fits a file"),
    Defect(
      "shape that needs other bytes",
      safetensors(#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}}"#),
      .sizeMismatch, "tensor 'a' (F32 [2, 3]) needs 24 bytes, its data_offsets give 20"),
    Defect(
      "one offset", safetensors(#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}"#),
      .malformedEntry,
      "tensor 'a' 'data_offsets' is [0], expected a first and a last offset in order"),
    Defect(
      "offsets backwards", safetensors(#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}"#),
      .malformedEntry,
      "tensor 'a' 'data_offsets' is [4,0], expected a first and a last offset in order"),
    Defect(
      "negative offset", safetensors(#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}"#),
      .malformedEntry,
      "tensor 'a' 'data_offsets' is [-4,0], expected a first and a last offset in order"),
    Defect(
      "offset whose sum would overflow",
      safetensors(
        #"{"a":{"dtype":"U8","shape":[9223372036854775807],"#
          + #""data_offsets":[0,9223372036854775807]}}"#),
      .malformedEntry,
      "tensor 'a' 'data_offsets' is [0,9223372036854775807], expected a first and a last offset "
        + "in order"),
    Defect(
      "overlap",
      safetensors(
        #"{"a.weight":{"dtype":"F32","shape":[16],"data_offsets":[0,64]},"#
          + #""b.weight":{"dtype":"F32","shape":[8],"data_offsets":[32,64]}}"#,
        data: Array(repeating: 0, count: 64)),
      .layout, "tensor 'a.weight' occupies bytes 0..<64 and 'b.weight' begins at 32"),
    Defect(
      "hole",
      safetensors(
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}"#, data: [1, 2, 3, 4]),
      .layout, "bytes 1..<3 before tensor 'b' belong to no tensor"),
    Defect(
      "first tensor not at the start",
      safetensors(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, data: [1, 2]),
      .layout, "bytes 0..<1 before tensor 'a' belong to no tensor"),
    Defect(
      "data cut short", safetensors(u8, data: [1, 2, 3]), .layout,
      "the file is cut short, got 64 bytes, expected 65 from the header"),
    Defect(
      "bytes after the last tensor", safetensors(u8, data: [1, 2, 3, 4, 5]), .layout,
      "bytes follow the last tensor, got 66 bytes, expected 65 from the header"),
    Defect(
      "bytes and no tensor", safetensors("{}", data: [1]), .layout,
      "bytes follow the last tensor, got 11 bytes, expected 10 from the header"),
  ]

  @Test(arguments: defects)
  func `a defect is refused by name`(_ defect: Defect) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      try path.overwrite(defect.bytes)
      let error = #expect(throws: WeightFileError.self) { try SafetensorsFile(path) }
      #expect(error?.code == defect.code)
      #expect(error?.description == "\(path): \(defect.detail)")
      #expect(error?.kind == .badInput)
    }
  }

  @Test func `a header over the limit is refused before it is parsed`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      let descriptor = try FileDescriptor.open(
        path, .writeOnly, options: .create, permissions: .ownerReadWrite)
      try descriptor.closeAfter {
        // 100 000 001, little-endian; the rest of the file is a hole that takes no space.
        _ = try descriptor.writeAll([0x01, 0xE1, 0xF5, 0x05, 0, 0, 0, 0])
        try descriptor.resize(to: 100_000_009)
      }
      let error = #expect(throws: WeightFileError.self) { try SafetensorsFile(path) }
      #expect(
        error?.description
          == "\(path): header length 100000001 exceeds the limit of 100000000 bytes")
    }
  }

  @Test func `a missing file and a directory are named`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("none.safetensors")
      let missing = #expect(throws: WeightFileError.self) { try SafetensorsFile(path) }
      #expect(missing?.code == .inaccessible)
      #expect(missing?.description == "\(path): no such file or directory")
      let folder = #expect(throws: WeightFileError.self) { try SafetensorsFile(directory) }
      #expect(folder?.description == "\(directory): not a regular file")
    }
  }

  /// A file with all that a header can hold, small enough to be damaged in every place.
  static let valid = safetensors(
    #"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"#
      + #""b":{"dtype":"F16","shape":[],"data_offsets":[8,10]}}"#,
    data: [0, 0, 128, 63, 0, 0, 0, 64, 0, 60])

  /// Opens the file and reads each tensor, as far as the reader lets.
  private func touch(_ bytes: [UInt8], at path: FilePath) throws -> Bool {
    try path.overwrite(bytes)
    guard let file = try? SafetensorsFile(path) else { return false }
    for info in file.tensorInfos {
      #expect(try file.tensor(named: info.name).byteArray.count == info.byteCount)
    }
    return true
  }

  @Test func `every truncation is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      let isValidRead = try touch(Self.valid, at: path)
      #expect(isValidRead)
      for count in 0..<Self.valid.count {
        let isRead = try touch(Array(Self.valid.prefix(count)), at: path)
        #expect(!isRead, "\(count) bytes")
      }
    }
  }

  @Test func `no flipped or repeated byte brings the reader down`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.safetensors")
      var generator = SeededGenerator(seed: 7)
      var refused = 0
      for position in Self.valid.indices {
        for _ in 0..<4 {
          var bytes = Self.valid
          bytes[position] ^= UInt8.random(in: 1...255, using: &generator)
          refused += try touch(bytes, at: path) ? 0 : 1
        }
        var bytes = Self.valid
        bytes.insert(bytes[position], at: position)
        let isRead = try touch(bytes, at: path)
        #expect(!isRead, "byte \(position) repeated")
      }
      // Most damage hits the header's structure; what hits names or values must still be read.
      #expect(refused > Self.valid.count * 2 && refused < Self.valid.count * 4)
    }
  }
}
