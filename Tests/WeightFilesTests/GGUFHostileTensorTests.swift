import Files
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// One file for each way in which the tensors of a GGUF file can be wrong, and a file damaged in
/// every place.
struct GGUFHostileTensorTests {
  static let zeros32 = [UInt8](repeating: 0, count: 32)

  static let names: [Defect] = [
    Defect(
      "tensor without a name", gguf(infos: [info("", [1], type: 24)], data: [1]),
      .malformedEntry, "the name of tensor 0 is empty"),
    Defect(
      "name of 64 bytes",
      gguf(infos: [info(String(repeating: "n", count: 64), [1], type: 24)], data: [1]),
      .malformedEntry, "the name of tensor 0 is 64 bytes long, expected at most 63"),
    Defect(
      "name with a zero byte", gguf(infos: [info("a\0", [1], type: 24)], data: [1]),
      .malformedEntry, "the name of tensor 0 holds a control character"),
    Defect(
      "name that leads out of a folder", gguf(infos: [info("../a", [1], type: 24)], data: [1]),
      .malformedEntry, "the name of tensor 0 holds a path separator"),
    Defect(
      "name that leads out of a folder elsewhere",
      gguf(infos: [info(#"..\a"#, [1], type: 24)], data: [1]),
      .malformedEntry, "the name of tensor 0 holds a path separator"),
    Defect(
      "one name twice",
      gguf(
        infos: [info("a", [1], type: 24), info("a", [1], type: 24, offset: 32)],
        data: zeros32 + [1]),
      .malformedEntry, "tensor name 'a' appears twice"),
  ]

  static let shapes: [Defect] = [
    Defect(
      "no axes", gguf(infos: [info("a", [], type: 24)], data: [1]), .malformedEntry,
      "tensor 'a' has 0 axes, expected 1 to 4"),
    Defect(
      "five axes", gguf(infos: [info("a", [1, 1, 1, 1, 1], type: 24)], data: [1]),
      .malformedEntry, "tensor 'a' has 5 axes, expected 1 to 4"),
    Defect(
      "2³² − 1 axes", gguf(infos: [info("a", [1], type: 24, rank: .max)], data: [1]),
      .malformedEntry, "tensor 'a' has 4294967295 axes, expected 1 to 4"),
    Defect(
      "extent of zero", gguf(infos: [info("a", [0], type: 24)]), .malformedEntry,
      "tensor 'a' has an extent of 0, expected at least 1"),
    Defect(
      "negative extent", gguf(infos: [info("a", [-1], type: 24)]), .malformedEntry,
      "tensor 'a' has an extent of -1, expected at least 1"),
    Defect(
      "shape that overflows", gguf(infos: [info("a", [1 << 32, 1 << 32], type: 24)]),
      .sizeMismatch, "tensor 'a' has shape [4294967296, 4294967296], which overflows"),
    Defect(
      "size that overflows", gguf(infos: [info("a", [.max], type: 0)]), .sizeMismatch,
      "tensor 'a' (F32 [9223372036854775807]) is larger than any file"),
    Defect(
      "rows that are no whole blocks",
      gguf(infos: [info("a", [33, 32], type: 8)], data: [UInt8](repeating: 0, count: 1122)),
      .sizeMismatch,
      "tensor 'a' has rows of 33 elements, which are no whole Q8_0 blocks of 32"),
  ]

  static let types: [Defect] =
    [
      (4, "Q4_2"), (5, "Q4_3"), (31, "Q4_0_4_4"), (32, "Q4_0_4_8"), (33, "Q4_0_8_8"),
      (36, "IQ4_NL_4_4"), (37, "IQ4_NL_4_8"), (38, "IQ4_NL_8_8"),
    ].map {
      Defect(
        "removed type \($0)", gguf(infos: [info("a", [32], type: $0)], data: zeros32),
        .unknownElementType,
        "tensor 'a' has type \($0), \($1), which ggml has removed. Quantize the model again")
    }
    + [43, 133, .max].map {
      Defect(
        "type \($0)", gguf(infos: [info("a", [32], type: $0)], data: zeros32),
        .unknownElementType,
        "tensor 'a' has type \($0), which this version does not know (known: F32, F16, Q4_0, Q4_1, "
          + "Q5_0, Q5_1, Q8_0, Q8_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K, IQ2_XXS, IQ2_XS, IQ3_XXS, "
          + "IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS, I8, I16, I32, I64, F64, IQ1_M, BF16, TQ1_0, "
          + "TQ2_0, MXFP4, NVFP4, Q1_0, Q2_0)")
    }

  /// Two tensors of 4 bytes, where the second begins at `offset`.
  private static func two(at offset: UInt64) -> [[UInt8]] {
    [info("a", [1], type: 0), info("b", [1], type: 0, offset: offset)]
  }

  static let layouts: [Defect] = [
    Defect(
      "first tensor not at the start",
      gguf(infos: [info("a", [1], type: 24, offset: 32)], data: [1]),
      .layout, "tensor 'a' begins at byte 32 of the data, expected 0, where the one before it ends"),
    Defect(
      "offset not aligned", gguf(infos: two(at: 4), data: [1, 2, 3, 4, 5, 6, 7, 8]),
      .layout, "tensor 'b' begins at byte 4 of the data, expected 32, where the one before it ends"),
    Defect(
      "overlap", gguf(infos: two(at: 0), data: [1, 2, 3, 4]),
      .layout, "tensor 'b' begins at byte 0 of the data, expected 32, where the one before it ends"),
    Defect(
      "hole", gguf(infos: two(at: 64), data: zeros32 + zeros32 + [1, 2, 3, 4]),
      .layout, "tensor 'b' begins at byte 64 of the data, expected 32, where the one before it ends"
    ),
    Defect(
      "out of order",
      gguf(
        infos: [info("a", [1], type: 0, offset: 32), info("b", [1], type: 0)],
        data: zeros32 + [1, 2, 3, 4]),
      .layout, "tensor 'a' begins at byte 32 of the data, expected 0, where the one before it ends"),
    Defect(
      "offset of 2⁶⁴ − 1", gguf(infos: two(at: .max), data: [1, 2, 3, 4]), .layout,
      "tensor 'b' begins at byte 18446744073709551615 of the data, expected 32, where the one "
        + "before it ends"),
    Defect(
      "tensor past the end", gguf(infos: [info("a", [1 << 60], type: 24)], data: [1]), .layout,
      "the file is cut short: tensor 'a' needs 1152921504606846976 bytes at byte 64, the file has 65"
    ),
    Defect(
      "data cut short by a byte", gguf(infos: [info("a", [1], type: 0)], data: [1, 2, 3]),
      .layout, "the file is cut short: tensor 'a' needs 4 bytes at byte 64, the file has 67"),
    Defect(
      "no data", gguf(infos: [info("a", [1], type: 0)]), .layout,
      "the file is cut short: tensor 'a' needs 4 bytes at byte 64, the file has 57"),
    Defect(
      "a byte after the last tensor",
      gguf(infos: [info("a", [1], type: 0)], data: [1, 2, 3, 4, 0]),
      .layout, "bytes follow the last tensor, got 69 bytes, expected 96 from the header"),
    Defect(
      "a byte after the padding", gguf(infos: [info("a", [1], type: 0)], data: zeros32 + [0]),
      .layout, "bytes follow the last tensor, got 97 bytes, expected 96 from the header"),
    Defect(
      "bytes and no tensor", gguf(data: [1]), .layout,
      "bytes follow the last tensor, got 33 bytes, expected 32 from the header"),
  ]

  static let defects = names + shapes + types + layouts

  @Test(arguments: defects)
  func `a defect is refused by name`(_ defect: Defect) throws {
    try expectRefusal(of: defect)
  }

  /// A file with all that a header can hold, small enough to be damaged in every place.
  static let valid = gguf(
    keys: [
      key("s", 8, text("xy")), key("b", 7, [1]),
      key("n", 9, array(8, count: 2, text("p") + text(""))),
      key("f", 9, array(6, count: 1, [0, 0, 128, 63])), key("split.count", 2, le(UInt16(1))),
    ],
    infos: [info("w", [2, 1], type: 0), info("q", [32], type: 8, offset: 32)],
    data: [0, 0, 128, 63, 0, 0, 0, 64] + [UInt8](repeating: 0, count: 24)
      + [UInt8](repeating: 7, count: 34))

  /// Opens the file and reads everything, as far as the reader lets.
  private func touch(_ bytes: [UInt8], at path: FilePath) throws -> Bool {
    try path.overwrite(bytes)
    guard let file = try? GGUFFile(path) else { return false }
    for (_, value) in file.metadata {
      if case .array(let elements) = value { #expect(elements.map(\.type).count == elements.count) }
    }
    for info in file.tensors where info.type.elementType != nil {
      #expect(try file.tensor(named: info.name).byteArray.count == info.byteCount)
    }
    return true
  }

  @Test func `every truncation is refused`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("model.gguf")
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
      let path = directory.appending("model.gguf")
      var generator = SeededGenerator(seed: 11)
      var refused = 0
      for position in Self.valid.indices {
        for _ in 0..<4 {
          var bytes = Self.valid
          bytes[position] ^= UInt8.random(in: 1...255, using: &generator)
          refused += try touch(bytes, at: path) ? 0 : 1
        }
        var bytes = Self.valid
        bytes.insert(bytes[position], at: position)
        refused += try touch(bytes, at: path) ? 0 : 1
        bytes.removeSubrange(position...min(position + 1, bytes.count - 1))
        refused += try touch(bytes, at: path) ? 0 : 1
      }
      // Damage to lengths, types and offsets is found; what hits names, values and padding is legal.
      #expect(refused > Self.valid.count * 2 && refused < Self.valid.count * 6)
    }
  }
}
