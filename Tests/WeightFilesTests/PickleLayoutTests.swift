import SystemPackage
import TestSupport
import Testing
import WeightFiles

/// Tensors whose offset, shape and strides are wrong, or right though they look odd.
struct PickleLayoutTests {
  /// A tensor over the two floats of the file.
  private static func tensor(
    _ extents: [Int], strides: [Int], offset: Int = 0, key: String = "0",
    type: String = "FloatStorage", count: Int = 2
  ) -> [UInt8] {
    Pickle.dictionary(
      Pickle.tensor(
        extents, strides: strides, offset: offset,
        storage: Pickle.storage(key, type: type, count: count)))
  }

  private static func layout(
    _ label: String, _ pickle: [UInt8], _ detail: String
  ) -> PickleDefectCase {
    PickleDefectCase(label, pickle, .sizeMismatch, "tensor 'w' \(detail)")
  }

  /// Layouts that leave the storage.
  static let layouts: [PickleDefectCase] = [
    layout(
      "no such storage", tensor([2], strides: [1], key: "../0"),
      "is in storage '../0', which the file does not hold"),
    layout(
      "a storage longer than its entry", tensor([2], strides: [1], count: 3),
      "is in a storage of 3 elements of 4 bytes, which has 8 bytes in the file"),
    layout(
      "a storage of a negative size", tensor([2], strides: [1], count: -2),
      "is in a storage of -2 elements of 4 bytes, which has 8 bytes in the file"),
    layout(
      "a storage of another type", tensor([2], strides: [1], type: "DoubleStorage"),
      "is in a storage of 2 elements of 8 bytes, which has 8 bytes in the file"),
    layout(
      "one element too many", tensor([3], strides: [1]),
      "leaves its storage of 2 elements: offset 0, shape [3], strides [1]"),
    layout(
      "an offset too far", tensor([2], strides: [1], offset: 1),
      "leaves its storage of 2 elements: offset 1, shape [2], strides [1]"),
    layout(
      "nothing, beyond the end", tensor([0], strides: [1], offset: 3),
      "leaves its storage of 2 elements: offset 3, shape [0], strides [1]"),
    layout(
      "a negative offset", tensor([2], strides: [1], offset: -1),
      "has a negative number in its layout: offset -1, shape [2], strides [1]"),
    layout(
      "a negative stride", tensor([2], strides: [-1], offset: 1),
      "has a negative number in its layout: offset 1, shape [2], strides [-1]"),
    layout(
      "a negative extent", tensor([-2, -1], strides: [1, 1]),
      "has a negative number in its layout: offset 0, shape [-2, -1], strides [1, 1]"),
    layout(
      "a shape that overflows", tensor([1 << 32, 1 << 32], strides: [0, 0]),
      "has shape [4294967296, 4294967296], which overflows"),
    layout(
      "a shape that overflows behind a zero", tensor([0, 1 << 32, 1 << 32], strides: [1, 1, 1]),
      "has shape [0, 4294967296, 4294967296], which overflows"),
    layout(
      "strides that overflow", tensor([2, 2], strides: [.max, .max]),
      "leaves its storage of 2 elements: offset 0, shape [2, 2], "
        + "strides [9223372036854775807, 9223372036854775807]"),
    layout(
      "an offset that overflows", tensor([2], strides: [1], offset: .max),
      "leaves its storage of 2 elements: offset 9223372036854775807, shape [2], strides [1]"),
    layout(
      "a copy of any size", tensor([1 << 40], strides: [0]),
      "repeats the elements of its storage: offset 0, shape [1099511627776], strides [0]. "
        + "Save it again with .contiguous()"),
  ]

  @Test(arguments: layouts) func `cannot leave the storage`(_ defect: PickleDefectCase) throws {
    try defect.expectRefusal()
  }

  @Test func `the stride of an axis of one element means nothing`() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      let pickle = Self.tensor([1, 2, 1], strides: [.max, 1, .max])
      try path.overwrite(Pickle.file(pickle).bytes)
      #expect(try PickledFile(path).tensor(named: "w").floatArray == [1, 2])
      // The same in an order that must be copied.
      let turned = Pickle.dictionary(
        Pickle.tensor([2, 1, 2], strides: [1, .max, 2], storage: Pickle.storage(count: 4)))
      try path.overwrite(Pickle.file(turned, storage: (0..<16).map { $0 }).bytes)
      #expect(
        try PickledFile(path).tensor(named: "w").byteArray
          == [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15])
    }
  }
}
